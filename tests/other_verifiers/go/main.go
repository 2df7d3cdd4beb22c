// Verifies a C2SP tlog-tiles directory, and receipts of it, with the code of Go's own checksum
// database client: golang.org/x/mod/sumdb/note and tlog, out of the toolchain's source tree.
//
//	verify VKEY DIR [RECEIPT...]
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"x/note"
	"x/tlog"
)

type tiles struct{ dir string }

func (tiles) Height() int                        { return 8 }
func (tiles) SaveTiles([]tlog.Tile, [][]byte)    {}
func (t tiles) read(tile tlog.Tile) ([]byte, error) {
	// Go writes the tile's height, and data for entries; C2SP writes neither.
	path := strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)
	return os.ReadFile(filepath.Join(t.dir, strings.Replace(path, "tile/8/", "tile/", 1)))
}
func (t tiles) ReadTiles(all []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, tile := range all {
		data, err := t.read(tile)
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}

func check(err error, what string) {
	if err != nil {
		fmt.Printf("REFUSED %s: %v\n", what, err)
		os.Exit(1)
	}
}

func open(text []byte, verifier note.Verifier, what string) tlog.Tree {
	opened, err := note.Open(text, note.VerifierList(verifier))
	check(err, what)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err, what)
	root, err := tlog.ParseHash(lines[2])
	check(err, what)
	return tlog.Tree{N: size, Hash: root}
}

func main() {
	verifier, err := note.NewVerifier(os.Args[1])
	check(err, "key")
	reader := tiles{os.Args[2]}
	text, err := os.ReadFile(filepath.Join(reader.dir, "checkpoint"))
	check(err, "checkpoint")
	tree := open(text, verifier, "checkpoint")
	hashes := tlog.TileHashReader(tree, reader)
	for first := int64(0); first < tree.N; first += 256 {
		width := min(256, tree.N-first)
		data, err := reader.read(tlog.Tile{H: 8, L: -1, N: first / 256, W: int(width)})
		check(err, "bundle")
		var indexes []int64
		for n := first; n < first+width; n++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, n))
		}
		leaves, err := hashes.ReadHashes(indexes)
		check(err, "tiles")
		for n, leaf := range leaves {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				check(fmt.Errorf("bundle is short"), fmt.Sprint("entry ", first+int64(n)))
			}
			length := int(binary.BigEndian.Uint16(data))
			if tlog.RecordHash(data[2:2+length]) != leaf {
				check(fmt.Errorf("another leaf"), fmt.Sprint("entry ", first+int64(n)))
			}
			data = data[2+length:]
		}
		if len(data) != 0 {
			check(fmt.Errorf("bundle goes on"), "bundle")
		}
	}
	for _, path := range os.Args[3:] {
		receipt(path, verifier)
	}
	fmt.Printf("ACCEPTED %d\n", tree.N)
}

func receipt(path string, verifier note.Verifier) {
	text, err := os.ReadFile(path)
	check(err, path)
	head, signed, _ := bytes.Cut(text, []byte("\n\n"))
	tree := open(signed, verifier, path)
	lines := strings.Split(string(head), "\n")
	entry, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	check(err, path)
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	check(err, path)
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		check(err, path)
		proof = append(proof, hash)
	}
	check(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)), path)
}

//! The generator's only source of randomness: the ChaCha8 keystream, read as words.
//!
//! Source: Bernstein, "ChaCha, a variant of Salsa20" (2008), with the 64-bit block counter and
//! 64-bit nonce of that paper; checked against draft-strombergson-chacha-test-vectors-01. It is
//! used because its output is defined bit for bit on every platform, not for secrecy.
//!
//! Invariant: word `i` of a stream depends on the seed, the stream's number and `i` alone, not on
//! how many words one call asks for.

/// Blocks computed side by side, one a lane. With 16 lanes the loops below become vector
/// instructions and run three times as fast as with 4 or 8, for which compilers unroll them.
const LANES: usize = 16;
const BLOCK_WORDS: usize = 16;
/// Words that one refill yields.
const BUFFER_WORDS: usize = BLOCK_WORDS * LANES;
/// "expand 32-byte k", the constant of the paper for 256-bit keys.
const CONSTANT: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];
const DOUBLE_ROUNDS: usize = 4;

/// One word of the paper's matrix, of all lanes.
type Word = [u32; LANES];

/// One keystream and the place reached in it.
#[derive(Debug, Clone)]
pub struct ChaCha8 {
    key: [u32; 8],
    nonce: u64,
    /// Number of the next block to compute.
    block: u64,
    words: [u32; BUFFER_WORDS],
    /// Next word of `words` to hand out; `BUFFER_WORDS` when all are used.
    next: usize,
}

impl ChaCha8 {
    /// Stream `stream` of `seed`: the key is the seed, little-endian, then zeros.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut key = [0; 8];
        key[0] = seed as u32;
        key[1] = (seed >> 32) as u32;
        Self::with_key(key, stream)
    }

    fn with_key(key: [u32; 8], nonce: u64) -> Self {
        Self { key, nonce, block: 0, words: [0; BUFFER_WORDS], next: BUFFER_WORDS }
    }

    /// The next 32 bits.
    #[inline(always)]
    pub fn next_u32(&mut self) -> u32 {
        if self.next >= BUFFER_WORDS {
            self.refill();
        }
        let word = self.words[self.next];
        self.next += 1;
        word
    }

    /// A whole number in `0..bound`; the bias of at most `bound / 2^32` is far below what the
    /// generator's statistics can show.
    #[inline(always)]
    pub fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    #[inline(never)]
    fn refill(&mut self) {
        let mut input = [[0; LANES]; BLOCK_WORDS];
        for (lanes, word) in input.iter_mut().zip(CONSTANT.iter().chain(&self.key)) {
            *lanes = [*word; LANES];
        }
        let blocks: [u64; LANES] = std::array::from_fn(|lane| self.block.wrapping_add(lane as u64));
        input[12] = blocks.map(|block| block as u32);
        input[13] = blocks.map(|block| (block >> 32) as u32);
        input[14] = [self.nonce as u32; LANES];
        input[15] = [(self.nonce >> 32) as u32; LANES];

        let mut state = input;
        permute(&mut state);
        for (lane, block) in self.words.as_chunks_mut::<BLOCK_WORDS>().0.iter_mut().enumerate() {
            for (out, (mixed, start)) in block.iter_mut().zip(state.iter().zip(&input)) {
                *out = mixed[lane].wrapping_add(start[lane]);
            }
        }
        self.block = self.block.wrapping_add(LANES as u64);
        self.next = 0;
    }
}

/// The eight rounds.
#[inline(never)]
fn permute(state: &mut [Word; BLOCK_WORDS]) {
    let [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15] = state;
    for _ in 0..DOUBLE_ROUNDS {
        quarter_round(s0, s4, s8, s12);
        quarter_round(s1, s5, s9, s13);
        quarter_round(s2, s6, s10, s14);
        quarter_round(s3, s7, s11, s15);
        quarter_round(s0, s5, s10, s15);
        quarter_round(s1, s6, s11, s12);
        quarter_round(s2, s7, s8, s13);
        quarter_round(s3, s4, s9, s14);
    }
}

#[inline(always)]
fn quarter_round(a: &mut Word, b: &mut Word, c: &mut Word, d: &mut Word) {
    for i in 0..LANES {
        a[i] = a[i].wrapping_add(b[i]);
        d[i] = (d[i] ^ a[i]).rotate_left(16);
        c[i] = c[i].wrapping_add(d[i]);
        b[i] = (b[i] ^ c[i]).rotate_left(12);
        a[i] = a[i].wrapping_add(b[i]);
        d[i] = (d[i] ^ a[i]).rotate_left(8);
        c[i] = c[i].wrapping_add(d[i]);
        b[i] = (b[i] ^ c[i]).rotate_left(7);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(hex: &str) -> Vec<u32> {
        hex.as_bytes()
            .chunks(8)
            .map(|word| {
                u32::from_str_radix(std::str::from_utf8(word).unwrap(), 16).unwrap().swap_bytes()
            })
            .collect()
    }

    fn keystream(key: &str, nonce: &str, count: usize) -> Vec<u32> {
        let nonce = words(nonce);
        let nonce = u64::from(nonce[1]) << 32 | u64::from(nonce[0]);
        let mut stream = ChaCha8::with_key(words(key).try_into().unwrap(), nonce);
        (0..count).map(|_| stream.next_u32()).collect()
    }

    #[test]
    fn the_published_vectors_tc1_and_tc8_come_out() {
        let zero = "0".repeat(64);
        let tc1 = "3e00ef2f895f40d67f5bb8e81f09a5a12c840ec3ce9a7f3b181be188ef711a1e\
                   984ce172b9216f419f445367456d5619314a42a3da86b001387bfdb80e0cfe42\
                   d2aefa0deaa5c151bf0adb6c01f2a5adc0fd581259f9a2aadcf20f8fd566a26b\
                   5032ec38bbc5da98ee0c6f568b872a65a08abf251deb21bb4b56e5d8821e68aa";
        assert_eq!(keystream(&zero, &zero[..16], 32), words(tc1));
        let key = "c46ec1b18ce8a878725a37e780dfb7351f68ed2e194c79fbc6aebee1a667975d";
        let tc8 = "838751b42d8ddd8a3d77f48825a2ba752cf4047cb308a5978ef274973be374c9\
                   6ad848065871417b08f034e681fe46a93f7d5c61d1306614d4aaf257a7cff08b\
                   16f2fda170cc18a4b58a2667ed962774af792a6e7f3c77992540711a7a136d7e\
                   8a2f8d3f93816709d45a3fa5f8ce72fde15be7b841acba3a2abd557228d9fe4f";
        assert_eq!(keystream(key, "1ada31d5cf688221", 32), words(tc8));
    }

    #[test]
    fn a_stream_goes_on_over_a_refill_and_past_2_to_the_32_blocks() {
        let mut whole = ChaCha8::new(9, 1);
        let first: Vec<u32> = (0..2 * BUFFER_WORDS).map(|_| whole.next_u32()).collect();
        let mut skipped = ChaCha8::new(9, 1);
        skipped.block = LANES as u64;
        assert_eq!(skipped.next_u32(), first[BUFFER_WORDS]);
        skipped.block = 1 << 32;
        skipped.next = BUFFER_WORDS;
        assert_ne!(skipped.next_u32(), first[0], "the counter has 64 bits");
    }
}

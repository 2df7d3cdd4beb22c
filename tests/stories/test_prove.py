"""A desk shows its regulator that it keeps a limit, and shows neither limit nor exposure."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli_run import cli

CHAIN = "07" * 32
AMOUNTS = {"alpha": "1234567.895", "beta": "22.00", "again": "1234567.90", "limit": "2000000.009"}


def commit(name: Path, role: str, amount: str) -> subprocess.CompletedProcess[str]:
    """Commit as a user does: the amount comes on standard input."""
    command = [sys.executable, "-c", "from cwts.cli import main; main()", "prove", "commit"]
    return subprocess.run(
        [*command, str(name), "--as", role],
        input=amount,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder of openings and commitments."""
    for name, amount in AMOUNTS.items():
        done = commit(tmp_path / name, "limit" if name == "limit" else "exposure", amount)
        assert done.returncode == 0, done.stderr
        assert done.stdout == (tmp_path / f"{name}.commitment").read_text()
    return tmp_path


def ask(where: Path, *about: object, subject: str = "alpha", as_of: int = 4_711) -> Path:
    """Write the verifier's question."""
    path = where / f"question-{len(list(where.iterdir()))}.json"
    place = ("--chain", CHAIN, "--epoch", 3, "--subject", subject, "--as-of", as_of)
    done = cli("prove", "ask", *place, *about, "-o", path)
    assert done.returncode == 0, done.stderr
    return path


def verify(proof: Path, question: Path) -> tuple[int, dict[str, Any]]:
    done = cli("prove", "verify", proof, "--context", question, "--json")
    return done.returncode, json.loads(done.stdout) if done.stdout else {"stderr": done.stderr}


def test_an_exposure_below_a_hidden_limit(desk: Path) -> None:
    about = ("--exposure", desk / "alpha.commitment", "--limit", desk / "limit.commitment")
    question, proof = ask(desk, *about), desk / "alpha.proof"
    opened = ("--exposure", desk / "alpha.opening", "--limit", desk / "limit.opening")
    made = cli("prove", "exposure", "--context", question, *opened, "-o", proof)
    assert made.returncode == 0, made.stderr
    assert proof.stat().st_size == 752

    code, told = verify(proof, question)
    assert (code, told["holds"], told["kind"]) == (0, True, "exposure_below")
    assert told["about"]["exposure"] == (desk / "alpha.commitment").read_text().strip()
    said = cli("prove", "verify", proof, "--context", question)
    assert said.stdout.startswith("true: account alpha, as of entry 4,711: the exposure in ")

    # The same proof for a new question, another entry, or another account.
    for later in (
        ask(desk, *about),
        ask(desk, *about, as_of=4_712),
        ask(desk, *about, subject="b"),
    ):
        code, told = verify(proof, later)
        assert (code, told["holds"]) == (1, False)
    said = cli("prove", "verify", proof, "--context", ask(desk, *about))
    assert (said.returncode, said.stdout[:6]) == (1, "false:")
    # The same proof for somebody else's commitment, or another limit.
    beta = ask(desk, "--exposure", desk / "beta.commitment", *about[2:])
    assert verify(proof, beta)[0] == 1

    again = cli("prove", "exposure", "--context", question, *opened, "-o", proof)
    assert (again.returncode, "exists" in again.stderr) == (2, True), "nothing is overwritten"


def test_a_limit_that_everybody_knows_and_one_that_is_broken(desk: Path) -> None:
    for amount, code in (("1234567.90", 0), ("1234567.89", 1)):
        about = ("--exposure", desk / "alpha.commitment", "--limit-amount", amount)
        question, proof = ask(desk, *about), desk / f"{amount}.proof"
        opened = ("--exposure", desk / "alpha.opening")
        made = cli("prove", "exposure", "--context", question, *opened, "-o", proof)
        assert made.returncode == code, "the exposure was rounded up to 1234567.90"
        assert proof.exists() is (code == 0)
        if code == 0:
            told = verify(proof, question)
            assert (told[0], told[1]["about"]["limit_amount"]) == (0, amount)
        else:
            assert "ABOVE_LIMIT" in made.stderr
            assert "1234567" not in made.stderr


def test_desks_add_up_below_the_firms_limit(desk: Path) -> None:
    names = ("alpha", "beta")
    about = [part for name in names for part in ("--desk", desk / f"{name}.commitment")]
    about += ["--limit", desk / "limit.commitment"]
    question, proof = ask(desk, *about, subject="firm"), desk / "firm.proof"
    opened = [part for name in names for part in ("--desk", desk / f"{name}.opening")]
    opened += ["--limit", desk / "limit.opening"]
    assert cli("prove", "sum", "--context", question, *opened, "-o", proof).returncode == 0
    assert verify(proof, question)[0] == 0
    said = cli("prove", "verify", proof, "--context", question)
    assert "2 desks together are at most the limit in " in said.stdout
    swapped = [opened[part] for part in (2, 3, 0, 1)] + opened[4:]
    other = cli("prove", "sum", "--context", question, *swapped, "-o", desk / "x.proof")
    assert (other.returncode, "another commitment" in other.stderr) == (2, True)


def test_two_reports_of_one_number(desk: Path) -> None:
    pair = (desk / "alpha.commitment", desk / "again.commitment")
    question, proof = ask(desk, "--equal", *pair), desk / "equal.proof"
    opened = (desk / "alpha.opening", desk / "again.opening")
    made = cli("prove", "equal", *opened, "--context", question, "-o", proof, "--json")
    assert json.loads(made.stdout) == {
        "file": str(proof),
        "kind": "equal",
        "desks": 0,
        "bytes": 80,
    }
    assert verify(proof, question)[0] == 0
    pair = (desk / "alpha.commitment", desk / "beta.commitment")
    question = ask(desk, "--equal", *pair)
    assert verify(proof, question)[0] == 1
    opened = (desk / "alpha.opening", desk / "beta.opening")
    made = cli("prove", "equal", *opened, "--context", question, "-o", desk / "no.proof")
    assert (made.returncode, "VALUES_DIFFER" in made.stderr) == (1, True)


def test_what_is_malformed_is_exit_code_2_and_a_sentence(desk: Path) -> None:
    about = ("--exposure", desk / "alpha.commitment", "--limit-amount", "5000000")
    question, proof = ask(desk, *about), desk / "alpha.proof"
    opened = ("--exposure", desk / "alpha.opening")
    assert cli("prove", "exposure", "--context", question, *opened, "-o", proof).returncode == 0
    whole, sound = proof.read_bytes(), json.loads(question.read_text())
    bad = desk / "bad"
    for wrong in (b"", whole[:-1], whole + b"\0", b"X" + whole[1:], bytes(5_000)):
        bad.write_bytes(wrong)
        code, told = verify(bad, question)
        assert (code, "Traceback" in told["stderr"]) == (2, False)
    for change in (
        *({"chain": "zz"}, {"chain": "AB" * 32}, {"epoch": -1}, {"epoch": 1.5}, {"more": 1}),
        *({"subject": ""}, {"role": "king"}, {"nonce": None}, {"as_of_seq": 1 << 64}),
        *({"about": {}}, {"about": []}, {"about": {"equal": ["0" * 64]}}, {"epoch": True}),
        *({"about": {"desks": [], "limit_amount": "1"}}, {"about": {"exposure": CHAIN}}),
    ):
        bad.write_text(json.dumps(sound | change))
        code, told = verify(proof, bad)
        assert (code, "context of a proof" in told["stderr"]) == (2, True), change
    bad.write_text("[" * 10_000)
    assert verify(proof, bad)[0] == 2
    equal = ask(desk, "--equal", desk / "alpha.commitment", desk / "again.commitment")
    code, told = verify(proof, equal)
    assert (code, "PROOF_WRONG_KIND" in told["stderr"]) == (2, True)
    used = cli("prove", "sum", "--context", question, "--desk", bad, "-o", desk / "no.proof")
    assert (used.returncode, "use `cwts prove exposure`" in used.stderr) == (2, True)


def test_openings_are_their_owners_and_never_shown(desk: Path) -> None:
    opening = desk / "alpha.opening"
    assert opening.stat().st_mode & 0o777 == 0o600
    about = ("--exposure", desk / "alpha.commitment", "--limit-amount", "5000000")
    question = ask(desk, *about)
    opening.chmod(0o644)
    command = ("prove", "exposure", "--context", question, "--exposure", opening)
    refused = cli(*command, "-o", desk / "no.proof")
    assert (refused.returncode, "others can read it" in refused.stderr) == (2, True)
    opening.chmod(0o600)
    whole = opening.read_bytes()
    opening.write_bytes(whole[:20] + b"\1" + whole[21:])
    refused = cli(*command, "-o", desk / "no.proof")
    assert (refused.returncode, "OPENING_MISMATCH" in refused.stderr) == (2, True)
    for said in (refused.stdout, refused.stderr, question.read_text()):
        assert "1234567" not in said
        assert whole[24:56].hex() not in said
    wrong = commit(desk / "gamma", "limit", "77,13\n")
    assert (wrong.returncode, "77" in wrong.stderr) == (2, False)
    taken = commit(desk / "alpha", "exposure", "1\n")
    assert (taken.returncode, "exists" in taken.stderr) == (2, True)
    assert opening.read_bytes() != b"", "an opening is never overwritten"

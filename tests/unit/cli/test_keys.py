"""`suresam keys`: what it prints, what it writes, and what it refuses."""

import stat

import pytest

from suresam.access.key import digest_of
from suresam.access.key_list import parse_keys, read_key_file
from suresam.access.limits import KeyLimits
from suresam.cli import main


def test_a_new_key_is_printed_with_its_line(capsys):
    assert main(["keys", "new", "clinic", "--requests-per-s", "2.5", "--concurrent", "4"]) == 0
    key, line = capsys.readouterr().out.splitlines()
    [entry] = parse_keys([line], "f")
    assert (entry.name, entry.scopes, entry.digest) == ("clinic", {"infer"}, digest_of(key))
    assert entry.limits == KeyLimits(requests_per_s=2.5, concurrent=4)
    assert key not in line


def test_keys_are_added_to_a_file_that_only_its_owner_reads(tmp_path, capsys):
    file = tmp_path / "keys"
    assert main(["keys", "new", "a", "--file", str(file)]) == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = capsys.readouterr().out.strip()
    file.write_text(f"# ours\n{file.read_text()}")
    file.chmod(0o640)
    assert main(["keys", "new", "b", "--scope", "metrics", "--file", str(file)]) == 0
    second = capsys.readouterr().out.strip()
    entries = read_key_file(file)
    assert [(e.name, e.digest) for e in entries] == [
        ("a", digest_of(first)),
        ("b", digest_of(second)),
    ]
    assert file.read_text().startswith("# ours\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


def test_the_list_shows_whose_keys_there_are_and_no_whole_hash(tmp_path, capsys):
    file = tmp_path / "keys"
    main(["keys", "new", "a", "--file", str(file)])
    main(["keys", "new", "ops", "--scope", "admin", "--device-ms-per-s", "50", "--file", str(file)])
    capsys.readouterr()
    assert main(["keys", "list", str(file)]) == 0
    head, one, other = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "scopes", "sha256", "limits"]
    assert one.split()[:2] == ["a", "infer"]
    assert other.split()[:2] == ["ops", "admin"]
    assert other.endswith("device_ms_per_s=50")
    assert len(one.split()[2]) == 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["new", "a b"], "the name (3 characters) must be"),
        (["new", "a", "--scope", "root"], "the scopes must be of infer, metrics, admin"),
        (["new", "a", "--burst", "3"], "burst needs requests_per_s"),
        (["new", "a", "--concurrent", "0"], "concurrent=0 must be a whole number above 0"),
        (["new", "a", "--concurrent", "x"], "invalid int value: 'x'"),
        (["list", "/nowhere/keys"], "cannot read the API keys in /nowhere/keys"),
        (["new", "a", "--file", "/nowhere/keys"], "cannot write /nowhere/keys"),
    ],
)
def test_wrong_use_is_one_line(arguments, message, capsys):
    assert main(["keys", *arguments]) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert told.out == ""


def test_a_key_is_not_added_with_other_limits_than_its_name_has(tmp_path, capsys):
    file = tmp_path / "keys"
    main(["keys", "new", "a", "--file", str(file)])
    before = file.read_text()
    assert main(["keys", "new", "a", "--concurrent", "2", "--file", str(file)]) == 2
    assert "a has other limits in an earlier line" in capsys.readouterr().err
    assert file.read_text() == before

import hashlib

import pytest

from suresam.access.key import PREFIX, bearer_key, digest_of, new_key
from suresam.access.key_list import KeyEntry, parse_keys, read_key_file
from suresam.access.limits import KeyLimits
from suresam.errors import ConfigurationError

ONE, TWO = "1" * 64, "2" * 64


def test_a_key_has_256_random_bits_behind_its_prefix():
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith("sk_suresam_") and len(key) == len(PREFIX) + 43 for key in keys)


def test_a_digest_is_the_keys_sha256():
    assert digest_of("sk_suresam_x") == hashlib.sha256(b"sk_suresam_x").digest()


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Basic abc", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("abc", None),
        ("", None),
        ("Bearer " + "x" * 256, "x" * 256),
        ("Bearer " + "x" * 257, None),
        ("Bearer schl\u00fcssel", None),
    ],
)
def test_the_key_of_an_authorization(value, key):
    assert bearer_key(value) == key


def test_a_line_holds_name_scopes_digest_and_limits():
    lines = [
        "# those who click",
        "",
        f"clinic-7 infer sha256:{ONE} requests_per_s=2.5 burst=10 concurrent=4 large_share=0 # new",
        f"ops admin,metrics sha256:{TWO} device_ms_per_s=500",
    ]
    limits = KeyLimits(requests_per_s=2.5, burst=10, concurrent=4, large_share=0)
    assert parse_keys(lines, "f") == [
        KeyEntry("clinic-7", frozenset({"infer"}), b"\x11" * 32, limits),
        KeyEntry(
            "ops",
            frozenset({"admin", "metrics"}),
            b"\x22" * 32,
            KeyLimits(device_ms_per_s=500.0),
        ),
    ]


def test_what_is_written_reads_back():
    limits = KeyLimits(0.5, 3, 2, 250.0)
    entry = KeyEntry("a", frozenset({"admin", "infer"}), digest_of("k"), limits)
    assert parse_keys([entry.line()], "f") == [entry]


def test_a_name_may_have_an_old_and_a_new_key():
    entries = parse_keys([f"a infer sha256:{ONE}", f"a infer sha256:{TWO}"], "f")
    assert [entry.name for entry in entries] == ["a", "a"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a infer"], r"f, line 1: 2 words; a key needs NAME SCOPE"),
        (
            ["", "-a infer sha256:" + ONE],
            r"line 2: the name \(2 characters\) must",
        ),
        (["a/b infer sha256:" + ONE], r"the name \(3 characters\)"),
        (["x" * 65 + " infer sha256:" + ONE], r"the name \(65 characters\)"),
        (["a root sha256:" + ONE], r"the scopes must be of infer, metrics, admin"),
        (["a infer, sha256:" + ONE], r"the scopes must be of"),
        (["a infer sha256:" + ONE[:-1]], r"the third word must be sha256: and 64 hexadecimal"),
        (["a infer md5:" + ONE], r"not the key itself"),
        (["a infer sha256:" + ONE + " speed=3"], r"an unknown limit \(known: requests_per_s"),
        (["a infer sha256:" + ONE + " concurrent=0"], r"concurrent=0 must be a whole number"),
        (["a infer sha256:" + ONE + " concurrent=1.5"], r"concurrent=1.5 must be a whole number"),
        (["a infer sha256:" + ONE + " requests_per_s=nan"], r"requests_per_s=nan must be a number"),
        (["a infer sha256:" + ONE + " large_share=1.5"], r"large_share=1.5 must be a part, 0 to 1"),
        (["a infer sha256:" + ONE + " large_share=nan"], r"large_share=nan must be a part, 0 to 1"),
        (["a infer sha256:" + ONE + " requests_per_s=inf"], r"requests_per_s=inf must be a number"),
        (["a infer sha256:" + ONE + " device_ms_per_s=-1"], r"device_ms_per_s=-1 must be a number"),
        (["a infer sha256:" + ONE + " burst=3"], r"burst needs requests_per_s"),
        (
            ["a infer sha256:" + ONE + " concurrent=1 concurrent=2"],
            r"concurrent stands there twice",
        ),
        (
            ["a infer sha256:" + ONE, "b infer sha256:" + ONE],
            r"line 2: the same key stands in an earlier line",
        ),
        (
            ["a infer sha256:" + ONE, "a infer sha256:" + TWO + " concurrent=2"],
            r"line 2: a has other limits in an earlier line",
        ),
    ],
)
def test_a_wrong_line_is_told_by_its_number(lines, message):
    with pytest.raises(ConfigurationError, match=message):
        parse_keys(lines, "f")


@pytest.mark.parametrize(
    "line",
    ["{key}", "{key} infer sha256:" + ONE, "a {key} sha256:" + ONE, "a infer {key}",
     "a infer sha256:" + ONE + " {key}"],
)  # fmt: skip
def test_a_key_that_stands_in_the_file_by_mistake_is_in_no_message(line):
    key = new_key()
    with pytest.raises(ConfigurationError) as caught:
        parse_keys([line.format(key=key)], "f")
    assert key[len(PREFIX) : len(PREFIX) + 8] not in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match=r"cannot read the API keys in .*none: No such"):
        read_key_file(tmp_path / "none")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        read_key_file(tmp_path / "bytes")
    (tmp_path / "empty").write_text("# nobody\n")
    assert read_key_file(tmp_path / "empty") == []

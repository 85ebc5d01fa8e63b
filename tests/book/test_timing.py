from rndcfl.book.bench.timing import Timed, alternate


def test_works_take_turns():
    seen = []
    timed = alternate({name: lambda name=name: seen.append(name) for name in "abc"}, 3)
    assert "".join(seen) == "abcabcabc"
    assert {len(own.seconds) for own in timed.values()} == {3}
    own = Timed([3.0, 1.0, 2.0], [2.0, 2.0, 1.0]).scaled(2)
    assert own.summary() == dict(median=4, least=2, most=6, all=[6, 2, 4], cpu_median=4)

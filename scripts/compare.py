"""What the scripts that compare figures share. Run by itself it checks itself."""
import math


def worst(differences):
    """The largest of them; no number where one is none, which Python's max may pass over: want `worst(d) <= most`."""
    differences = [float(d) for d in differences]
    return math.nan if any(math.isnan(d) for d in differences) else max(differences)


if __name__ == "__main__":
    assert worst([0, 2, 1]) == 2
    for bad in ([math.nan, 1], [1, math.nan], [0.0, math.nan, 2]):
        assert not worst(bad) <= 1e9, bad
    try:
        worst([])
    except ValueError:
        pass
    else:
        raise AssertionError("nothing was compared")

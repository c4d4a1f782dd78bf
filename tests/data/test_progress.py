import io

from rich.console import Console

from fernn.data.download import show_progress


def show(terminal: bool) -> str:
    """What two downloads print, one of known and one of unknown size, told every kilobyte."""
    console = Console(file=io.StringIO(), force_terminal=terminal, width=40, color_system=None)
    with show_progress(console) as progress:
        for done in range(0, 500_001, 1000):
            progress("walking.zip", done, 500_000)
        progress("00sequences.txt [1]", 100, None)
    return console.file.getvalue()


def test_a_log_gets_few_plain_lines():
    assert show(terminal=False).splitlines() == [
        "walking.zip: 0 bytes of 500.0 kB",
        "walking.zip: 500.0 kB of 500.0 kB",
        "00sequences.txt [1]: 100 bytes of unknown size",
    ]


def test_a_terminal_gets_bars():
    assert "walking.zip" in show(terminal=True)
    assert "━" in show(terminal=True)

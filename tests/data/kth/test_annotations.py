import pytest

from fernn.data.kth.release import Video, parse_video, read_annotations
from fernn.errors import FernnError

HEADER = "\r\nSix classes of actions, by 25 subjects\r\nTraining:   person11, 12 \r\n\r\n"


def write(tmp_path, text: str):
    path = tmp_path / "00sequences.txt"
    path.write_bytes(text.encode("latin-1"))
    return path


def test_all_oddities(tmp_path):
    lines = [
        "person01_boxing_d1\t\tframes\t1-95, 96-185, 186-245, 246-360",
        "person07_running_d4\t\tframes\t1-52, 68-115, 310-358, 224-274",  # out of order
        "",
        "person11_boxing_d4    \t\tframes\t1-106, 107-194, 195-250",  # blanks after the name; three of them
        "person13_handclapping_d3\t*missing*",
        "person17_boxing_d1\t\tframes\t1-110, 110-192, 193-306, 307-378",  # one frame in two sequences
        "person21_boxing_d2    \t\tframes\t1-112, 113-162, 153-254, 255-408 ",  # ten frames, and a blank at the end
        "  ",
        "person25_walking_d4\tframes\t\t7-7\t",
    ]
    for end in ("\r\n", "\n"):
        text = (HEADER + "\r\n".join(lines)).replace("\r\n", end)
        for last in ("", end, end * 3):
            videos, missing = read_annotations(write(tmp_path, text + last))
            assert missing == (Video(13, "handclapping", 3),)
            assert list(videos) == [parse_video(line.split("\t")[0].strip()) for line in lines if "frames" in line]
            assert videos[Video(1, "boxing", 1)] == (range(95), range(95, 185), range(185, 245), range(245, 360))
            assert videos[Video(7, "running", 4)] == (range(52), range(67, 115), range(309, 358), range(223, 274))
            assert videos[Video(17, "boxing", 1)][:2] == (range(110), range(109, 192))
            assert videos[Video(21, "boxing", 2)][2] == range(152, 254)
            assert list(map(len, videos[Video(11, "boxing", 4)])) == [106, 88, 56]
            assert videos[Video(25, "walking", 4)] == (range(6, 7),)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("person01_boxing_d5\t\tframes\t1-95", "line 6: 'person01_boxing_d5' is no video; expected person01"),
        ("person26_boxing_d1\t\tframes\t1-95", "line 6: 'person26_boxing_d1' is no video"),
        ("person1_boxing_d1\t\tframes\t1-95", "line 6: 'person1_boxing_d1' is no video"),
        ("person01_dancing_d1\t\tframes\t1-95", "line 6: 'person01_dancing_d1' is no video"),
        ("person01_boxing_d1_x\t\tframes\t1-95", "line 6: 'person01_boxing_d1_x' is no video"),
        ("persn01_boxing_d1\t\tframes\t1-95", "line 6: 'persn01_boxing_d1' is no video"),
        ("person01_boxing_d1 frames 1-95", "line 6: 'person01_boxing_d1 frames 1-95'; expected a video, tabs"),
        ("person01_boxing_d1\t\tframe\t1-95", "line 6: .*expected a video, tabs, and `frames`"),
        ("person01_boxing_d1\t\t1-95", "line 6: .*expected a video, tabs, and `frames`"),
        ("person01_boxing_d1\t*missing* 1-95", "line 6: .*expected a video, tabs, and `frames`"),
        ("person01_boxing_d1\t\tframes\t", "line 6: '' is no sequence"),
        ("person01_boxing_d1\t\tframes\t1-95,96-120", "line 6: '1-95,96-120' is no sequence; expected such as 1-95"),
        ("person01_boxing_d1\t\tframes\t1-95, 96-", "line 6: '96-' is no sequence"),
        ("person01_boxing_d1\t\tframes\t1-95, 96-1e3", "line 6: '96-1e3' is no sequence"),
        ("person01_boxing_d1\t\tframes\t1-95,", "line 6: '1-95,' is no sequence"),
        ("person01_boxing_d1\t\tframes\t0-95", "line 6: sequence 0-95: expected the first frame, 1 or more"),
        ("person01_boxing_d1\t\tframes\t95-94", "line 6: sequence 95-94: expected .* the last, not before it"),
        ("person02_boxing_d1\t\tframes\t1-9", "line 6: person02_boxing_d1 is on line 5 already"),
        ("person02_boxing_d1\t*missing*", "line 6: person02_boxing_d1 is on line 5 already"),
        ("The end", "line 6: 'The end'; expected a video"),
        ("person01_boxing_d1\t\tframes\t1\u00b2-95", "line 6: byte 0xb2, expected plain text"),
    ],
)
def test_malformed_lines(tmp_path, line, message):
    path = write(tmp_path, f"{HEADER}person02_boxing_d1\t\tframes\t1-95\r\n{line}\r\n")
    with pytest.raises(FernnError, match=message) as caught:
        read_annotations(path)
    assert str(path) in str(caught.value)


def test_tells_of_many_malformed_lines_at_once(tmp_path):
    path = write(tmp_path, HEADER + "person01_boxing_d1\tframes\n" * 20)
    with pytest.raises(FernnError, match=r"malformed lines: 20\n.*line 5: (.*\n)+.*\.\.\. and 12 more"):
        read_annotations(path)


@pytest.mark.parametrize(
    "text", ["", HEADER, "<html>\n<p>Not found</p>\n</html>\n", "person13_handclapping_d3\t*missing*\n"]
)
def test_a_file_without_videos(tmp_path, text):
    with pytest.raises(FernnError, match="names no video: is it the right file"):
        read_annotations(write(tmp_path, text))


def test_no_file(tmp_path):
    with pytest.raises(FernnError, match=r"cannot read .*00sequences\.txt.*fernn fetch kth"):
        read_annotations(tmp_path / "00sequences.txt")

"""The file that the tests of downloads fetch."""

import hashlib

from fernn.data.digests import Digest

NAME = "boxing.zip"
CONTENT = bytes(i * i % 251 for i in range(300_000))
RIGHT = Digest("sha256", hashlib.sha256(CONTENT).hexdigest())
SHA1 = Digest("sha1", hashlib.sha1(CONTENT).hexdigest())

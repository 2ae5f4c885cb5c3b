"""Room for connections grows, on whatever system."""

import mmap

import pytest

from analyzer.dissector import pools


class Fixed(mmap.mmap):
    def resize(self, newsize: int) -> None:
        raise SystemError("mmap: resizing not available--no mremap()")


class WithoutLargePages(mmap.mmap):
    def madvise(self, *advice: int) -> None:
        raise OSError(22, "Invalid argument")


@pytest.mark.parametrize("kind", [mmap.mmap, Fixed, WithoutLargePages])
def test_what_was_there_stays_and_the_rest_is_zero(kind):
    pages = kind(-1, 3 * mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages[:] = b"ab" * (len(pages) // 2)
    doubled = pools._doubled_pages(pages)
    assert doubled[:] == b"ab" * (3 * mmap.PAGESIZE // 2) + bytes(3 * mmap.PAGESIZE)

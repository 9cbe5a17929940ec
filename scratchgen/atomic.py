"""Replacing a file in a single step: at every moment its name holds the whole old content or the whole new one.

Writing into the old file would destroy it before the new content is complete: a full disk or Ctrl-C would leave
neither. So the new content goes to a temporary file, is forced onto the disk, and then takes over the name:

    write → flush (Python's buffer to the system) → fsync (the system's buffer to the disk) → rename → fsync (folder)

Renaming over an existing file is one step by POSIX and in `os.replace` on Windows. Without the fsync before it the name
may reach the disk before the content does (Pillai et al., All File Systems Are Not Created Equal, OSDI 2014).
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write the new content of `path` to; it replaces the old content when the block ends without an error.

    Any exception in the block, KeyboardInterrupt too, leaves the old file as it was and no temporary file; only a
    killed process leaves one (a hidden .tmp to delete by hand). Symbolic links are followed, permissions are kept.

    Raises: OSError if `path` is a folder, a device or read-only, if its folder is missing, or if the system refuses.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(folder + "/notes.txt") as file:
    ...         _ = file.write(b"all or nothing")
    ...     Path(folder + "/notes.txt").read_text()
    'all or nothing'
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"no folder {target.parent}: create it first")
    mode = _mode_of_old(target)
    temporary = target.parent / f".{os.urandom(8).hex()}.tmp"  # the same folder: renaming cannot cross file systems
    try:
        with open(temporary, "xb") as file:
            if mode is not None:
                os.chmod(temporary, mode)  # before the content: what was private stays private
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    _sync_folder(target.parent)


def _mode_of_old(target: Path) -> int | None:
    """The permissions of the file that is to be replaced; None if there is none."""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):  # renaming over a device such as /dev/null would remove it
        raise OSError("a folder or a device")
    if not mode & stat.S_IWUSR:  # renaming needs the folder's permission only, but whoever set this meant the content
        raise OSError("a read-only file")
    return stat.S_IMODE(mode)


def _sync_folder(folder: Path) -> None:
    """Force the new name onto the disk; where this is impossible (Windows, some network drives), do without."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

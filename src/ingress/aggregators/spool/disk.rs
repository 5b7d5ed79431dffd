//! The files of a spool: appended to one after the other, removed whole. Every call blocks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::entry::{self, Entry};

/// Bytes after which a new file is begun.
const SEGMENT: u64 = 1_024 * 1_024;
/// What the names of our files end in.
const ENDING: &str = "spool";
/// Where entries go that nobody can take any more; an operator looks at it.
const ASIDE: &str = "set-aside";

/// A directory of files, each named by its number.
#[derive(Debug)]
pub(super) struct Disk {
    directory: PathBuf,
    writer: Option<Writer>,
    last: u64,
    bytes: u64,
    most: u64,
    /// Held as long as the process lives.
    _lock: File,
}

#[derive(Debug)]
struct Writer {
    number: u64,
    file: File,
    length: u64,
}

/// Why nothing was written.
#[derive(Debug)]
pub(super) enum NotWritten {
    /// There is no room.
    Full,
    /// The disk does not take it.
    Failed(io::Error),
}

/// One file to be fed.
#[derive(Debug)]
pub(super) struct Segment {
    number: u64,
    /// What it holds.
    pub(super) entries: Vec<Entry>,
}

impl Disk {
    /// Uses a directory, made if it is not there, for at most `most` bytes; with what lies in it.
    pub(super) fn open(directory: &Path, most: u64) -> io::Result<(Self, Vec<Entry>)> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        let lock = private()
            .create(true)
            .truncate(false)
            .open(directory.join("lock"))?;
        lock.try_lock()
            .map_err(|_| io::Error::new(io::ErrorKind::ResourceBusy, "another process uses it"))?;
        let mut disk = Self {
            directory: directory.to_owned(),
            writer: None,
            last: 0,
            bytes: 0,
            most,
            _lock: lock,
        };
        let mut held = Vec::new();
        for number in disk.numbers()? {
            let bytes = fs::read(disk.path(number))?;
            disk.last = number;
            disk.bytes += bytes.len() as u64;
            held.extend(entry::read(&bytes).entries);
        }
        Ok((disk, held))
    }

    /// Writes an entry; it is on the disk when this returns.
    pub(super) fn append(&mut self, frame: &[u8]) -> Result<(), NotWritten> {
        if self.bytes + frame.len() as u64 > self.most {
            return Err(NotWritten::Full);
        }
        let written = self.write(frame).map_err(NotWritten::Failed);
        if written.is_err() {
            // Whatever a cut write has left, nothing follows it.
            self.writer = None;
        } else {
            self.bytes += frame.len() as u64;
        }
        written
    }

    fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        let mut writer = match self.writer.take() {
            Some(writer) if writer.length < SEGMENT => writer,
            _ => self.begin()?,
        };
        writer.file.write_all(frame)?;
        writer.file.sync_data()?;
        writer.length += frame.len() as u64;
        self.writer = Some(writer);
        Ok(())
    }

    fn begin(&mut self) -> io::Result<Writer> {
        let number = self.last + 1;
        let file = private().create_new(true).open(self.path(number))?;
        self.last = number;
        File::open(&self.directory)?.sync_all()?;
        Ok(Writer {
            number,
            file,
            length: 0,
        })
    }

    /// The oldest file; nothing is appended to it any more. `None`: there is none.
    pub(super) fn oldest(&mut self) -> io::Result<Option<Segment>> {
        let Some(number) = self.numbers()?.first().copied() else {
            return Ok(None);
        };
        if self.writer.as_ref().is_some_and(|writer| writer.number == number) {
            self.writer = None;
        }
        let read = entry::read(&fs::read(self.path(number))?);
        if read.torn {
            tracing::warn!(number, "a file of the spool ends in what was never answered");
        }
        Ok(Some(Segment {
            number,
            entries: read.entries,
        }))
    }

    /// Removes a file whose entries are safe elsewhere.
    pub(super) fn remove(&mut self, segment: &Segment) -> io::Result<()> {
        let path = self.path(segment.number);
        let length = fs::metadata(&path)?.len();
        fs::remove_file(path)?;
        self.bytes = self.bytes.saturating_sub(length);
        File::open(&self.directory)?.sync_all()
    }

    /// Keeps an entry for an operator.
    pub(super) fn set_aside(&self, entry: &Entry) -> io::Result<()> {
        let mut file = private()
            .append(true)
            .create(true)
            .open(self.directory.join(ASIDE))?;
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        file.write_all(&line)?;
        file.sync_data()
    }

    fn path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{number:012}.{ENDING}"))
    }

    fn numbers(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for file in fs::read_dir(&self.directory)? {
            let path = file?.path();
            let ours = path.extension().is_some_and(|ending| ending == ENDING);
            let number: Option<u64> = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            numbers.extend(number.filter(|_| ours));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: u64) -> Entry {
        Entry {
            provider: "twilio".to_owned(),
            channel: "ch-1".to_owned(),
            status: false,
            method: "POST".to_owned(),
            query: String::new(),
            content_type: String::new(),
            at,
            peers: Vec::new(),
            body: bytes::Bytes::from_static(b"x"),
        }
    }

    fn written(disk: &mut Disk, at: u64) -> Result<(), NotWritten> {
        disk.append(&entry::frame(&entry(at)).unwrap())
    }

    #[test]
    fn what_was_written_is_there_after_a_crash_in_order_even_behind_a_write_that_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let (mut disk, held) = Disk::open(folder.path(), 10_000).unwrap();
        assert!(held.is_empty());
        for at in 1..4 {
            written(&mut disk, at).unwrap();
        }
        let path = disk.path(1);
        drop(disk);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let (mut disk, held) = Disk::open(folder.path(), 10_000).unwrap();
        assert_eq!(held, [entry(1), entry(2)]);
        written(&mut disk, 4).unwrap();
        let first = disk.oldest().unwrap().unwrap();
        assert_eq!(first.entries, [entry(1), entry(2)]);
        disk.remove(&first).unwrap();
        // What is being fed takes no more; that goes behind it.
        let second = disk.oldest().unwrap().unwrap();
        written(&mut disk, 5).unwrap();
        assert_eq!(second.entries, [entry(4)]);
        disk.remove(&second).unwrap();
        assert_eq!(disk.oldest().unwrap().unwrap().entries, [entry(5)]);
    }

    #[test]
    fn there_is_a_bound_and_room_again_once_something_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let room = entry::frame(&entry(1)).unwrap().len() as u64 * 2;
        let (mut disk, _) = Disk::open(folder.path(), room).unwrap();
        written(&mut disk, 1).unwrap();
        written(&mut disk, 2).unwrap();
        assert!(matches!(written(&mut disk, 3), Err(NotWritten::Full)));
        let segment = disk.oldest().unwrap().unwrap();
        disk.remove(&segment).unwrap();
        written(&mut disk, 3).unwrap();
    }

    #[test]
    fn a_directory_has_one_owner() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Disk::open(folder.path(), 100).unwrap();
        assert!(Disk::open(folder.path(), 100).is_err());
    }
}

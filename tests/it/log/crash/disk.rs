//! A disk that forgets what was not synced, tears what it was writing, and fills up.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use nexus::log::embedded::OpenDatabase;
use redb::StorageBackend;

use super::dice::Dice;

/// Written as a whole or not at all.
const SECTOR: usize = 512;

/// The disk; clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// As the process sees it.
    content: Vec<u8>,
    /// As it was at the last sync.
    synced: Vec<u8>,
    /// What was done since.
    pending: Vec<Change>,
    /// Larger it cannot become.
    capacity: u64,
    /// Operations until one fails, once.
    fuse: Option<u64>,
    /// Called at each operation.
    observer: Option<Observer>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

type Watcher = Box<dyn FnMut(&Moment<'_>) + Send>;

struct Observer(Watcher);

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Observer")
    }
}

/// The disk in the middle of something.
pub(super) struct Moment<'a> {
    synced: &'a [u8],
    pending: &'a [Change],
}

impl Moment<'_> {
    /// What is on the disk if the power fails now: of what was not synced each sector may be there or not, in any order.
    pub(super) fn power_failure(&self, dice: &mut Dice) -> Vec<u8> {
        let mut image = self.synced.to_vec();
        let fate = dice.below(4);
        for change in self.pending {
            match change {
                Change::Length(length) => image.resize(*length, 0),
                Change::Write(offset, data) => {
                    for (place, sector) in sectors(*offset, data) {
                        let survives = match fate {
                            0 => false,
                            1 => true,
                            _ => dice.one_in(2),
                        };
                        if survives {
                            put(&mut image, place, sector);
                        }
                    }
                }
            }
        }
        image
    }
}

/// The parts of a write that lie in different sectors.
fn sectors(offset: usize, data: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= data.len() {
            return None;
        }
        let place = offset + at;
        let length = (SECTOR - place % SECTOR).min(data.len() - at);
        let sector = &data[at..at + length];
        at += length;
        Some((place, sector))
    })
}

fn put(image: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[offset..end].copy_from_slice(data);
}

impl Disk {
    pub(super) fn empty() -> Self {
        Self::with(Vec::new())
    }

    pub(super) fn with(content: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State {
            synced: content.clone(),
            content,
            pending: Vec::new(),
            capacity: u64::MAX,
            fuse: None,
            observer: None,
        })))
    }

    /// How a store opens this disk.
    pub(super) fn opener(&self) -> OpenDatabase {
        let disk = self.clone();
        Box::new(move || {
            redb::Builder::new()
                .set_cache_size(1024 * 1024)
                .create_with_backend(disk.clone())
        })
    }

    pub(super) fn set_capacity(&self, bytes: u64) {
        self.state().capacity = bytes;
    }

    pub(super) fn used(&self) -> u64 {
        self.state().content.len() as u64
    }

    /// The operation after this many fails; the ones after it do not.
    pub(super) fn fail_after(&self, operations: u64) {
        self.state().fuse = Some(operations);
    }

    /// Whether the failure asked for has taken place; there is none any more.
    pub(super) fn has_failed(&self) -> bool {
        self.state().fuse.take().is_none()
    }

    pub(super) fn observe(&self, watcher: impl FnMut(&Moment<'_>) + Send + 'static) {
        self.state().observer = Some(Observer(Box::new(watcher)));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// One operation that changes something.
    fn operate(&self, change: impl FnOnce(&mut State) -> io::Result<()>) -> io::Result<()> {
        let mut state = self.state();
        match &mut state.fuse {
            Some(0) => {
                state.fuse = None;
                return Err(io::Error::other("the disk failed"));
            }
            Some(left) => *left -= 1,
            None => {}
        }
        if let Some(mut observer) = state.observer.take() {
            let moment = Moment {
                synced: &state.synced,
                pending: &state.pending,
            };
            (observer.0)(&moment);
            state.observer = Some(observer);
        }
        change(&mut state)
    }
}

impl State {
    fn check_space(&self, end: u64) -> io::Result<()> {
        if end > self.capacity && end > self.content.len() as u64 {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.used())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let begin = offset as usize;
        let bytes = state
            .content
            .get(begin..begin + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.operate(|state| {
            state.check_space(len)?;
            state.content.resize(len as usize, 0);
            state.pending.push(Change::Length(len as usize));
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.operate(|state| {
            let State {
                content,
                synced,
                pending,
                ..
            } = state;
            for change in pending.drain(..) {
                match change {
                    Change::Length(length) => synced.resize(length, 0),
                    Change::Write(offset, data) => put(synced, offset, &data),
                }
            }
            debug_assert_eq!(content, synced);
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.operate(|state| {
            state.check_space(offset + data.len() as u64)?;
            put(&mut state.content, offset as usize, data);
            state.pending.push(Change::Write(offset as usize, data.to_vec()));
            Ok(())
        })
    }
}

//! Objects as files of a local directory, durable before `Ok`.
//!
//! A file is created under its final name (names are unique, and nobody reads one whose address
//! was not committed), written, `fdatasync`ed, and its folder is `fsync`ed. A new folder's parents
//! are synced once.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use staffetta_chassis::spool::Spooled;
use tokio::io::AsyncWriteExt;

use super::{ByteStream, ObjectInfo, ObjectStore};
use crate::error::{StoreError, StoreErrorKind};

/// Pieces of a streamed read.
const STREAM_PIECE: u64 = 256 << 10;
/// Segments of one vectored write (IOV_MAX on Linux).
const MAX_SLICES: usize = 1024;

/// A directory of immutable files. Clones share the knowledge which folders are durable.
#[derive(Debug, Clone)]
pub struct DirectoryStore {
    root: Arc<Path>,
    /// Folders whose entries up to the root are known to be durable.
    durable: Arc<Mutex<HashSet<PathBuf>>>,
}

impl DirectoryStore {
    /// Opens (and creates) the root folder.
    pub async fn open(root: PathBuf) -> Result<Self, StoreError> {
        let store = Self { root: root.into(), durable: Arc::default() };
        let made = store.clone();
        blocking("", move || fs::create_dir_all(&made.root)).await?;
        Ok(store)
    }

    fn path(&self, key: &str) -> Result<PathBuf, StoreError> {
        let valid = key.split('/').all(|segment| {
            !segment.is_empty()
                && !segment.starts_with('.')
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        });
        if !valid {
            return Err(StoreError::new(StoreErrorKind::Refused, key));
        }
        Ok(self.root.join(key))
    }

    /// Creates the folder of `path` and makes every new entry on the way durable.
    fn ensure_folder(&self, path: &Path) -> io::Result<PathBuf> {
        let folder = path.parent().unwrap_or(&self.root).to_owned();
        if self.durable.lock().unwrap_or_else(PoisonError::into_inner).contains(&folder) {
            return Ok(folder);
        }
        fs::create_dir_all(&folder)?;
        let mut above = folder.as_path();
        while above != &*self.root {
            let Some(parent) = above.parent() else { break };
            File::open(parent)?.sync_all()?;
            above = parent;
        }
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.clone());
        Ok(folder)
    }

    fn forget_folder(&self, folder: &Path) {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).remove(folder);
    }

    fn create(&self, path: &Path) -> io::Result<(File, PathBuf)> {
        let folder = self.ensure_folder(path)?;
        let open = || OpenOptions::new().write(true).create_new(true).open(path);
        match open() {
            // Somebody removed the empty folder behind our back: make it durable again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.forget_folder(&folder);
                self.ensure_folder(path)?;
                open().map(|file| (file, folder))
            }
            opened => opened.map(|file| (file, folder)),
        }
    }

    fn write(&self, path: &Path, pieces: &[Bytes]) -> io::Result<()> {
        let (mut file, folder) = self.create(path)?;
        let written = write_all(&mut file, pieces).and_then(|()| make_durable(&file, &folder));
        if written.is_err() {
            // A half-written file would make every retry answer "already exists".
            let _ = fs::remove_file(path);
        }
        written
    }
}

fn write_all(file: &mut File, pieces: &[Bytes]) -> io::Result<()> {
    for group in pieces.chunks(MAX_SLICES) {
        let mut slices: Vec<IoSlice<'_>> = group.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut rest = slices.as_mut_slice();
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match file.write_vectored(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut rest, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn make_durable(file: &File, folder: &Path) -> io::Result<()> {
    file.sync_data()?;
    File::open(folder)?.sync_all()
}

fn read(path: &Path, range: &Range<u64>) -> io::Result<Bytes> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let end = range.end.min(size);
    let wanted = usize::try_from(end.saturating_sub(range.start)).map_err(io::Error::other)?;
    let mut bytes = BytesMut::zeroed(wanted);
    file.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes.freeze())
}

fn describe(key: String, metadata: &fs::Metadata) -> io::Result<ObjectInfo> {
    Ok(ObjectInfo { key, size: metadata.len(), modified: metadata.modified()?.into() })
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<ObjectInfo>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => walk(root, &path, found)?,
            Ok(metadata) => {
                let key = path.strip_prefix(root).map_err(io::Error::other)?;
                found.push(describe(key.to_string_lossy().into_owned(), &metadata)?);
            }
            // Deleted while we listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn store_error(key: &str, error: io::Error) -> StoreError {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => StoreErrorKind::NotFound,
        io::ErrorKind::AlreadyExists => StoreErrorKind::AlreadyExists,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => StoreErrorKind::Refused,
        io::ErrorKind::UnexpectedEof => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Unavailable,
    };
    StoreError::caused(kind, key, error)
}

async fn blocking<T: Send + 'static>(
    key: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| store_error(key, error)),
        Err(error) => Err(StoreError::caused(StoreErrorKind::Unavailable, key, error)),
    }
}

#[async_trait]
impl ObjectStore for DirectoryStore {
    async fn put(&self, key: &str, pieces: &[Bytes]) -> Result<(), StoreError> {
        let (store, path, pieces) = (self.clone(), self.path(key)?, pieces.to_vec());
        blocking(key, move || store.write(&path, &pieces)).await
    }

    async fn put_stream(&self, key: &str, body: &Spooled) -> Result<(), StoreError> {
        let path = self.path(key)?;
        let (store, target) = (self.clone(), path.clone());
        let (file, folder) = blocking(key, move || store.create(&target)).await?;
        let mut file = tokio::fs::File::from_std(file);
        let written: io::Result<()> = async {
            let mut pieces = body.stream();
            while let Some(piece) = pieces.try_next().await? {
                file.write_all(&piece).await?;
            }
            file.flush().await
        }
        .await;
        let file = file.into_std().await;
        blocking(key, move || {
            let durable = written.and_then(|()| make_durable(&file, &folder));
            if durable.is_err() {
                let _ = fs::remove_file(&path);
            }
            durable
        })
        .await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        let path = self.path(key)?;
        blocking(key, move || read(&path, &range)).await
    }

    async fn get_stream(&self, key: &str, range: Range<u64>) -> Result<ByteStream, StoreError> {
        let (store, key, size) = (self.clone(), key.to_owned(), self.head(key).await?.size);
        let pieces = stream::try_unfold(range.start, move |at| {
            let (store, key) = (store.clone(), key.clone());
            let end = range.end.min(size).min(at.saturating_add(STREAM_PIECE));
            async move {
                if at >= end {
                    return Ok(None);
                }
                Ok(Some((store.get_range(&key, at..end).await?, end)))
            }
        });
        Ok(pieces.boxed())
    }

    async fn head(&self, key: &str) -> Result<ObjectInfo, StoreError> {
        let (path, name) = (self.path(key)?, key.to_owned());
        blocking(key, move || describe(name, &fs::metadata(path)?)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let path = self.path(key)?;
        blocking(key, move || match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        })
        .await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectInfo, StoreError>> {
        let (root, folder, name) = (self.root.clone(), self.root.join(prefix), prefix.to_owned());
        let listing = async move {
            let found = blocking(&name, move || {
                let mut found = Vec::new();
                walk(&root, &folder, &mut found)?;
                Ok(found)
            })
            .await?;
            Ok::<_, StoreError>(stream::iter(found.into_iter().map(Ok)))
        };
        stream::once(listing).try_flatten().boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        let mut round = 0;
        super::super::contract::suite(|| {
            round += 1;
            let root = folder.path().join(round.to_string());
            async move { DirectoryStore::open(root).await.unwrap() }
        })
        .await;
    }

    #[tokio::test]
    async fn keys_cannot_leave_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let store = DirectoryStore::open(folder.path().join("root")).await.unwrap();
        for key in ["../evil", "a/../../evil", "/etc/evil", "a//b", "", "a/.hidden"] {
            let refused = store.put(key, &[Bytes::from_static(b"x")]).await.unwrap_err();
            assert_eq!(refused.kind(), StoreErrorKind::Refused, "{key}");
        }
    }

    #[tokio::test]
    async fn a_removed_folder_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = DirectoryStore::open(folder.path().to_owned()).await.unwrap();
        store.put("day/hour/a", &[Bytes::from_static(b"1")]).await.unwrap();
        fs::remove_dir_all(folder.path().join("day")).unwrap();
        store.put("day/hour/b", &[Bytes::from_static(b"2")]).await.unwrap();
        assert_eq!(store.get_range("day/hour/b", 0..9).await.unwrap(), "2");
    }
}

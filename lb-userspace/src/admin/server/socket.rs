//! Makes the Unix socket of the API.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind},
    os::unix::{
        fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt, PermissionsExt},
        net,
    },
    path::{Path, PathBuf},
};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use thiserror::Error;
use tokio::net::UnixListener;

/// Mode of the socket: its owner and group may call.
const SOCKET_MODE: u32 = 0o660;

/// Mode of a directory made for it.
const DIRECTORY_MODE: u32 = 0o755;

/// Why the socket could not be made.
#[derive(Debug, Error)]
pub enum BindError {
    /// Another daemon answers there.
    #[error(
        "a daemon is running already on {}; stop it or choose another [daemon] admin",
        path.display()
    )]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else is there, which is not ours to remove.
    #[error(
        "{} is there already and is no socket; remove it or choose another [daemon] admin",
        path.display()
    )]
    NotASocket {
        /// What is in the way.
        path: PathBuf,
    },
    /// There is no file name in the path.
    #[error("{} does not name a file; give [daemon] admin the path of a socket", path.display())]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// The kernel refused.
    #[error(
        "cannot {what} {}: {reason}; run as root, or choose another [daemon] admin",
        path.display()
    )]
    Refused {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// The kernel's reason.
        reason: io::Error,
    },
}

/// Makes the socket at `path` and listens on it; a socket left behind by a daemon that has ended is
/// replaced. Must be called inside a tokio runtime.
///
/// The socket is made in a private directory and appears at its path when its mode is set, so that
/// at no moment more than owner and group can call, whatever the umask is.
pub fn bind(path: &Path) -> Result<UnixListener, BindError> {
    let (Some(parent), Some(_)) = (path.parent(), path.file_name()) else {
        return Err(BindError::NoName { path: path.to_owned() });
    };
    // A relative path of one component has the empty path as its parent.
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    make_directory(parent)?;
    let _lock = lock(path)?;
    refuse_if_taken(path)?;

    let nursery = tempfile::Builder::new()
        .prefix(".s")
        .rand_bytes(6)
        .tempdir_in(parent)
        .map_err(refused("create a directory in", parent))?;
    let newborn = nursery.path().join("s");
    let listener = net::UnixListener::bind(&newborn).map_err(refused("bind a socket for", path))?;
    fs::set_permissions(&newborn, Permissions::from_mode(SOCKET_MODE))
        .map_err(refused("set the mode of", path))?;
    listener.set_nonblocking(true).map_err(refused("listen on", path))?;
    let listener = UnixListener::from_std(listener).map_err(refused("listen on", path))?;
    fs::rename(&newborn, path).map_err(refused("put the socket at", path))?;
    Ok(listener)
}

fn refused(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BindError {
    let path = path.to_owned();
    move |reason| BindError::Refused { what, path, reason }
}

fn make_directory(directory: &Path) -> Result<(), BindError> {
    if directory.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(DIRECTORY_MODE)
        .create(directory)
        // The umask takes from the mode given to the builder.
        .and_then(|()| fs::set_permissions(directory, Permissions::from_mode(DIRECTORY_MODE)))
        .map_err(refused("create the directory", directory))
}

/// Keeps a second daemon that starts at the same moment from taking the same stale socket. The file
/// is never removed, because a lock on a removed file locks nobody out.
fn lock(path: &Path) -> Result<File, BindError> {
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let lock_path = PathBuf::from(lock_path);
    let open = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&lock_path)
        .map_err(refused("open", &lock_path))?;
    open.lock().map_err(refused("lock", &lock_path))?;
    Ok(open)
}

/// Refuses what is at `path` already unless it is the socket of a daemon that has ended.
fn refuse_if_taken(path: &Path) -> Result<(), BindError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused("look at", path)(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(BindError::NotASocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    match probe(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Err(refused("replace", path)(error))
        }
        // A daemon whose queue of connections is full runs, too, even if it does not answer.
        Ok(()) | Err(_) => Err(BindError::InUse { path: path.to_owned() }),
    }
}

/// Connects without waiting.
fn probe(path: &Path) -> io::Result<()> {
    let probe = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    rustix::net::connect(&probe, &SocketAddrUnix::new(path)?)?;
    Ok(())
}

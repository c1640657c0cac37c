//! What access logs are written to: files, standard output, sockets of syslog, for whoever checks or uses them.
//!
//! Files are appended to, by whole lines, so that others may write to them, too, and rename them at any time. A file
//! that is not there is made, readable for its group. What must be there is its directory: whoever misspells it is told.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::AsFd as _,
        unix::{
            fs::{FileTypeExt as _, OpenOptionsExt as _},
            net::UnixDatagram,
        },
    },
    path::{Path, PathBuf},
    time::Duration,
};

use caps::{CapSet, Capability};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use thiserror::Error;

use crate::model::listener::LogTarget;

/// Mode of a file that is made.
const MODE: u32 = 0o640;
/// How long a syslog daemon may take nothing before that is an error.
const SYSLOG_PATIENCE: Duration = Duration::from_secs(1);

/// Why a log cannot be written.
#[derive(Debug, Error)]
pub enum LogError {
    /// The file cannot be opened.
    #[error("{} cannot be opened: {source}; give a file that the daemon can write without privileges", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// Its directory is not there.
    #[error("{} cannot be made: its directory cannot be used: {source}; make the directory first", path.display())]
    Directory {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// It is something else than a file.
    #[error("{} is no regular file; give one, or \"stdout\" or \"syslog\"", path.display())]
    NoFile {
        /// What was given.
        path: PathBuf,
    },
    /// There is no syslog daemon.
    #[error("no syslog daemon takes lines at {}: {source}; start it, or name its socket (\"syslog:/path\")", path.display())]
    Syslog {
        /// The socket.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// Standard output cannot be had.
    #[error("standard output cannot be used: {source}; leave it open, or log to a file")]
    Stdout {
        /// The reason.
        #[source]
        source: io::Error,
    },
}

/// An open log.
#[derive(Debug)]
pub(crate) enum Sink {
    /// A file, or standard output.
    File(File),
    /// A socket, and where it is connected to.
    Syslog(UnixDatagram, PathBuf),
}

impl Sink {
    /// Opens a log, or makes it.
    pub(crate) fn open(to: &LogTarget) -> Result<Self, LogError> {
        let _plain = Plain::become_so();
        match to {
            LogTarget::File(path) => open_file(path).map(Self::File),
            LogTarget::Stdout => {
                let copied = io::stdout().as_fd().try_clone_to_owned();
                let stdout = copied.map_err(|source| LogError::Stdout { source })?;
                Ok(Self::File(stdout.into()))
            }
            LogTarget::Syslog(path) => {
                let connected = connect(path);
                let fail = |source| LogError::Syslog { path: path.clone(), source };
                Ok(Self::Syslog(connected.map_err(fail)?, path.clone()))
            }
        }
    }

    /// Whether a log could be opened, as far as can be seen without making anything.
    pub(crate) fn look_at(to: &LogTarget) -> Result<(), LogError> {
        let _plain = Plain::become_so();
        match to {
            LogTarget::File(path) => look_at_file(path),
            LogTarget::Stdout => Ok(()),
            LogTarget::Syslog(path) => {
                let is_socket = path.metadata().map(|data| data.file_type().is_socket());
                let found = is_socket.and_then(|is_socket| {
                    if is_socket { Ok(()) } else { Err(io::Error::other("it is no socket")) }
                });
                found.map_err(|source| LogError::Syslog { path: path.clone(), source })
            }
        }
    }
}

/// This thread without the privileges to pass over owners and modes of files, until this is dropped. The daemon gives
/// them up when it has started: a file that could only be opened until then would be found out at the first rotation.
struct Plain(Vec<Capability>);

impl Plain {
    fn become_so() -> Self {
        let privileges = [Capability::CAP_DAC_OVERRIDE, Capability::CAP_DAC_READ_SEARCH];
        let dropped = privileges.into_iter().filter(|&privilege| {
            let has = caps::has_cap(None, CapSet::Effective, privilege);
            has.is_ok_and(|has| has) && caps::drop(None, CapSet::Effective, privilege).is_ok()
        });
        Self(dropped.collect())
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        for privilege in &self.0 {
            // They are permitted still, so that this cannot fail.
            _ = caps::raise(None, CapSet::Effective, *privilege);
        }
    }
}

/// Connects to a syslog daemon.
pub(crate) fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.set_write_timeout(Some(SYSLOG_PATIENCE))?;
    Ok(socket)
}

fn open_file(path: &Path) -> Result<File, LogError> {
    let unusable = |source| LogError::Unusable { path: path.to_owned(), source };
    // To open a pipe would wait for who reads it.
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(MODE).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = match options.open(path) {
        Ok(file) => file,
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            return Err(LogError::Directory { path: path.to_owned(), source });
        }
        // Of a directory, a socket, a pipe that nobody reads.
        Err(_) if path.metadata().is_ok_and(|data| !data.is_file()) => {
            return Err(LogError::NoFile { path: path.to_owned() });
        }
        Err(source) => return Err(unusable(source)),
    };
    if !file.metadata().map_err(unusable)?.is_file() {
        return Err(LogError::NoFile { path: path.to_owned() });
    }
    Ok(file)
}

fn look_at_file(path: &Path) -> Result<(), LogError> {
    let may_write = |path: &Path| {
        accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).map_err(io::Error::from)
    };
    match fs::metadata(path) {
        Ok(data) if !data.is_file() => Err(LogError::NoFile { path: path.to_owned() }),
        Ok(_) => {
            may_write(path).map_err(|source| LogError::Unusable { path: path.to_owned(), source })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let directory = path.parent().unwrap_or(path);
            may_write(directory)
                .map_err(|source| LogError::Directory { path: path.to_owned(), source })
        }
        Err(source) => Err(LogError::Unusable { path: path.to_owned(), source }),
    }
}

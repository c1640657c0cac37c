//! The commands about requests.

use std::net::IpAddr;

use clap::{Args, Subcommand};

use super::Output;
use crate::model::Name;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ListenerCommand {
    /// List all listeners
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Show one listener, with its routes and how many requests took each
    Show {
        /// Name of the listener
        name: Name,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum LogsCommand {
    /// Open the access logs anew, after their files have been renamed
    Reopen {
        #[command(flatten)]
        output: Output,
    },
}

/// Of `shunt route`.
#[derive(Debug, Args)]
pub(in crate::cli) struct RouteArgs {
    /// The method, such as GET
    pub(in crate::cli) method: String,
    /// The URL, such as `http://www.example.org/path?query`
    pub(in crate::cli) url: String,
    /// A header of the request; may be given several times
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(in crate::cli) headers: Vec<String>,
    /// The client's address; 127.0.0.1 unless given
    #[arg(long, value_name = "IP")]
    pub(in crate::cli) client: Option<IpAddr>,
    /// The listener, if the URL alone does not tell
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) listener: Option<Name>,
    #[command(flatten)]
    pub(in crate::cli) output: Output,
}

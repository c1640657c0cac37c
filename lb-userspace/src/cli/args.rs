//! The definition of the command line. Its doc comments are the help texts and the manual.

mod layer7;
mod values;

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU64,
    path::PathBuf,
    time::Duration,
};

use clap::{Args, Parser, Subcommand, error::ErrorKind};
use clap_complete::Shell;
use lb_common::limits::decap::DEFAULT_PIN_DIR;

pub(super) use self::layer7::{ListenerCommand, LogsCommand, RouteArgs};
use crate::{
    admin::trace::{TraceError, TraceQuery},
    config::DEFAULT_ADMIN,
    model::{AttachMode, Name, Prefix, Vip, Weight, names},
};

/// Load balancer for Linux: forwards packets to backends by XDP
///
/// `shunt run` is the daemon. The commands that look at it or change it talk to it over its Unix
/// socket.
#[derive(Debug, Parser)]
#[command(
    name = "shunt",
    version,
    after_help = "Exit codes: 0 done, 1 refused or failed, 2 wrong usage."
)]
pub struct Cli {
    /// Socket of the daemon to talk to
    #[arg(
        long,
        global = true,
        env = "SHUNT_SOCKET",
        value_name = "PATH",
        default_value = DEFAULT_ADMIN
    )]
    pub(super) socket: PathBuf,

    #[command(subcommand)]
    pub(super) command: Command,
}

impl Cli {
    /// Refuses what no single argument shows to be wrong.
    pub(super) fn checked(self) -> Result<Self, clap::Error> {
        if let Command::Trace(args) = &self.command
            && let Err(error) = args.query()
        {
            return Err(clap::Error::raw(ErrorKind::ValueValidation, error));
        }
        Ok(self)
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the daemon
    Run {
        /// Configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Look for mistakes in a configuration file
    ///
    /// Every mistake is printed with line, column and what to do about it. No daemon is needed.
    Check {
        /// Configuration file
        file: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// Make the running daemon match a configuration file
    Apply {
        /// Configuration file
        file: PathBuf,
        /// Only print what would be done
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Show interfaces, services and pools at a glance
    Status {
        #[command(flatten)]
        output: Output,
    },
    /// Show the traffic of services and backends
    ///
    /// Prints what was counted since the maps were made, or with `--interval` rates per second.
    Stats(StatsArgs),
    /// Show why packets were neither forwarded nor returned
    ///
    /// Prints them by service and reason, with what became of them, most packets first.
    Drops {
        /// Only of this service
        service: Option<Name>,
        /// Do not leave out what is no IP or addressed to no service
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Show which backend a flow gets, and why
    ///
    /// Asks the loaded program itself, by a test run that changes nothing. The exit code is 1 if the
    /// flow gets no backend.
    Flow(FlowArgs),
    /// Show what becomes of packets, as it happens
    ///
    /// Prints a line a packet until interrupted: how it arrived, what was done with it and why, and how
    /// it left. FILTER says which packets, and all of its conditions must hold: `service NAME`,
    /// `backend ADDR:PORT`, `host ADDR` (or a prefix, such as 192.0.2.0/24), `src ADDR`, `dst ADDR`,
    /// `port N`, `src port N`, `dst port N`, `reason NAME` (as `shunt drops` shows them), `tcp`, `udp`,
    /// `icmp`, `dropped`, `passed`, `forwarded`. Addresses and ports are those of the packet as it
    /// arrived or as it left. While a trace runs, packets cost more.
    Trace(TraceArgs),
    /// Show which route and pool a request would take, and why
    ///
    /// The exit code is 1 if no route takes it.
    Route(RouteArgs),
    /// Look at listeners
    #[command(subcommand)]
    Listener(ListenerCommand),
    /// Look after access logs
    #[command(subcommand)]
    Logs(LogsCommand),
    /// Look at services, and change who may connect
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Look at pools
    #[command(subcommand)]
    Pool(PoolCommand),
    /// Look at backends and change them
    #[command(subcommand)]
    Backend(BackendCommand),
    /// Stop balancing and remove everything from the kernel
    ///
    /// A running daemon is asked to do so and to end. When none runs, what it left behind is
    /// removed: programs from their interfaces, pinned maps, and addresses it kept.
    Detach {
        /// Directory where maps and links are pinned, if not that of the daemon or the default
        #[arg(long, value_name = "DIR")]
        pin_dir: Option<PathBuf>,
        /// State directory of the daemon, if not the default
        #[arg(long, value_name = "DIR")]
        state_dir: Option<PathBuf>,
    },
    /// Unpack tunnelled packets on a backend
    ///
    /// Attaches a program to an interface of a backend of an `ipip` or `gue` service. It takes the outer
    /// headers off the packets that the balancer sends, so that no tunnel device is needed. The command
    /// returns at once; no daemon is needed. Given again, it replaces the program without losing
    /// a packet, and brings addresses and sources about as given now.
    Decap(DecapArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print shunt(1), or write a manual page for each command
    Man {
        /// Directory to write the pages into
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ServiceCommand {
    /// List all services
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Show one service, with the share of each backend
    Show {
        /// Name of the service
        name: Name,
        #[command(flatten)]
        output: Output,
    },
    /// Look at those who are served, and change them
    ///
    /// A service that allows anybody serves only those.
    Allow(ListOf),
    /// Look at those who are refused, and change them
    Deny(ListOf),
}

/// A list of a service.
#[derive(Debug, Args)]
pub(super) struct ListOf {
    /// Name of the service
    pub(super) name: Name,
    #[command(subcommand)]
    pub(super) command: ListCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum ListCommand {
    /// Print the prefixes
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Add prefixes: all of them, or none if one is refused
    Add {
        /// The prefixes, or addresses
        #[arg(required = true, value_name = "PREFIX")]
        prefixes: Vec<Prefix>,
    },
    /// Remove prefixes: all of them, or none if one is refused
    Remove {
        /// The prefixes, as they are listed
        #[arg(required = true, value_name = "PREFIX")]
        prefixes: Vec<Prefix>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum PoolCommand {
    /// List all pools
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Show one pool and its backends
    Show {
        /// Name of the pool
        name: Name,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum BackendCommand {
    /// List the backends of one pool, or of all
    List {
        /// Name of the pool
        pool: Option<Name>,
        #[command(flatten)]
        output: Output,
    },
    /// Put backends into a pool: all of them, or none if one is refused
    Add {
        #[command(flatten)]
        members: Members,
        /// Share of each, relative to the other backends of the pool
        #[arg(
            long,
            value_name = "N",
            value_parser = values::weight,
            default_value = "1",
            allow_negative_numbers = true
        )]
        weight: Weight,
    },
    /// Take backends out of a pool
    Remove(Members),
    /// Give backends no new flows
    Drain(Members),
    /// Give drained backends new flows again
    Enable(Members),
    /// Change the weight of a backend
    Weight {
        /// Name of the pool
        pool: Name,
        /// The backend
        #[arg(value_name = "ADDR:PORT", value_parser = names::backend_address)]
        address: SocketAddr,
        /// Its new share, relative to the other backends of the pool
        #[arg(value_parser = values::weight, allow_negative_numbers = true)]
        weight: Weight,
    },
}

/// Backends of a pool.
#[derive(Debug, Args)]
pub(super) struct Members {
    /// Name of the pool
    pub(super) pool: Name,
    /// The backends
    #[arg(required = true, value_name = "ADDR:PORT", value_parser = names::backend_address)]
    pub(super) addresses: Vec<SocketAddr>,
}

/// Of `shunt stats`.
#[derive(Debug, Args)]
pub(super) struct StatsArgs {
    /// Only this service and the backends of its pool
    pub(super) service: Option<Name>,
    /// Print rates per second, again and again after so long, such as `1s`, until interrupted
    #[arg(long, value_name = "DURATION", value_parser = values::interval)]
    pub(super) interval: Option<Duration>,
    /// End when rates have been printed so many times
    #[arg(
        long,
        value_name = "N",
        value_parser = values::times,
        requires = "interval",
        allow_negative_numbers = true
    )]
    pub(super) count: Option<NonZeroU64>,
    #[command(flatten)]
    pub(super) output: Output,
}

/// Of `shunt flow`.
#[derive(Debug, Args)]
pub(super) struct FlowArgs {
    /// The client, as IP:PORT
    #[arg(value_parser = names::client_address)]
    pub(super) from: SocketAddr,
    /// The service that it sends to, such as `192.0.2.10:80/tcp`
    pub(super) to: Vip,
    /// Ask about the packet that opens the flow, in place of one of an open flow; TCP only
    #[arg(long)]
    pub(super) opening: bool,
    #[command(flatten)]
    pub(super) output: Output,
}

/// Of `shunt trace`.
#[derive(Debug, Args)]
pub(super) struct TraceArgs {
    /// Conditions on packets, such as `service web dropped`; without any, all packets are shown
    pub(super) filter: Vec<String>,
    /// Write the packets into a pcapng file, too, as they arrived and as they left; `-` writes it to
    /// standard output instead of the lines
    #[arg(long, value_name = "FILE")]
    pub(super) pcap: Option<PathBuf>,
    /// End after so many packets
    #[arg(long, value_name = "N", value_parser = values::times, allow_negative_numbers = true)]
    pub(super) count: Option<NonZeroU64>,
    /// Print JSON, an object a line
    #[arg(long)]
    pub(super) json: bool,
}

impl TraceArgs {
    /// What the filter says.
    fn query(&self) -> Result<TraceQuery, TraceError> {
        TraceQuery::of_words(self.filter.iter().map(String::as_str))
    }
}

/// Of `shunt decap`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("instead").multiple(false))]
pub(super) struct DecapArgs {
    /// The interface that tunnelled packets arrive on
    #[arg(value_name = "IFACE", value_parser = names::interface_name)]
    pub(super) interface: String,
    /// How to attach: `native` runs in the driver, `generic` everywhere and slower; `auto` is native if
    /// possible
    #[arg(long, value_name = "MODE", value_parser = values::attach_mode, default_value = "auto",
        conflicts_with = "instead")]
    pub(super) mode: AttachMode,
    /// Unpack only what comes from these addresses, such as those of the balancers; may be given
    /// several times
    #[arg(long, value_name = "PREFIX", conflicts_with = "instead")]
    pub(super) from: Vec<Prefix>,
    /// Unpack what is addressed to this address, in place of all addresses of the interface; may be
    /// given several times
    #[arg(long = "address", value_name = "IP", value_parser = values::tunnel_end, conflicts_with = "instead")]
    pub(super) addresses: Vec<IpAddr>,
    /// Show addresses and counters instead of attaching
    #[arg(long, group = "instead")]
    pub(super) status: bool,
    /// Remove the program and its maps
    #[arg(long, group = "instead")]
    pub(super) detach: bool,
    /// Print JSON, with `--status`
    #[arg(long, requires = "status")]
    pub(super) json: bool,
    /// Directory for the pins; each interface has a directory in it
    #[arg(long, value_name = "DIR", default_value = DEFAULT_PIN_DIR)]
    pub(super) pin_dir: PathBuf,
}

/// How to print.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Output {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

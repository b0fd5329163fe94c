//! Serves the playground on this machine.

use anyhow::{Context, Result, bail};
use clap::Args;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use crate::build::{self, Kind};
use crate::progress::Steps;
use crate::tools::Toolbox;
use crate::workers;
use crate::workspace::Workspace;

#[derive(Args)]
pub struct Options {
    /// The port to serve on
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Open the page in the browser
    #[arg(long)]
    open: bool,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    // Said now rather than after the build.
    TcpListener::bind(address)
        .with_context(|| format!("port {} is taken: choose another with --port", options.port))?;

    let mut steps = Steps::new(build::STEPS);
    let tools = Toolbox::provide(workspace, &mut steps)?;
    workers::build(workspace, &tools, Kind::Standard, None, &mut steps)?;
    build::page(workspace, &tools, Kind::Standard, &mut steps)?;
    steps.next("serving");
    let mut cmd = build::trunk(workspace, &tools, Kind::Standard)?
        .args(["--quiet", "serve", "--address", "127.0.0.1", "--port"])
        .arg(options.port.to_string());
    if options.open {
        cmd = cmd.arg("--open");
    }
    let seconds = steps.elapsed();
    std::thread::spawn(move || announce(address, seconds));
    let status = cmd.status()?;
    if !status.success() {
        bail!("trunk ended with {status}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the address as soon as it answers.
fn announce(address: SocketAddr, seconds: u64) {
    let start = std::time::Instant::now();
    while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
        std::thread::sleep(Duration::from_millis(100));
    }
    let seconds = seconds + start.elapsed().as_secs();
    eprintln!(
        "\nThe playground is at http://{address}/ ({seconds} s). Changes are picked up; Ctrl-C ends it.\n"
    );
}

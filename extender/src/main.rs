//! `headroom-extender`: see `headroom_extender::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    headroom_extender::cli::main()
}

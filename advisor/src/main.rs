//! `headroom-advisor`: see `headroom_advisor::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    headroom_advisor::cli::main()
}

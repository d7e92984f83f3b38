//! The options of `naap engine`; also how a parent passes them to its child.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::request::Credential;

/// Options of the embedded engine. Passwords come only by environment, which other users can not see.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct EngineOptions {
    /// Folder that holds the data; one engine at a time
    #[arg(long)]
    pub data_dir: PathBuf,
    /// Loopback address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// libchdb.so to load instead of the one in the cache folder
    #[arg(long, env = "NAAP_ENGINE_LIB")]
    pub lib: Option<PathBuf>,
    /// Configuration in ClickHouse's own form, such as rights of the user `default`
    #[arg(long)]
    pub config_file: Option<PathBuf>,
    /// Bound on the engine's memory; it needs about 200 MB to itself
    #[arg(long, default_value_t = 1 << 30)]
    pub max_memory_bytes: u64,
    /// Largest request body, before and after decompression
    #[arg(long, default_value_t = 64 << 20)]
    pub max_body_bytes: usize,
    /// Statements that run at the same time; more wait
    #[arg(long, default_value_t = 8)]
    pub max_concurrent: u16,
    /// Password of the user `default`, who may do everything
    #[arg(long, env = "NAAP_ENGINE_PASSWORD", default_value = "", hide = true)]
    pub password: String,
    /// Name of a user who may only read, within limits
    #[arg(long)]
    pub reader: Option<String>,
    /// Password of that user
    #[arg(long, env = "NAAP_ENGINE_READER_PASSWORD", default_value = "", hide = true)]
    pub reader_password: String,
    /// Let tests order faults by POST /faults
    #[arg(long)]
    pub allow_faults: bool,
    /// File that gets the bound port
    #[arg(long)]
    pub port_file: Option<PathBuf>,
    /// End when standard input ends: a parent that dies takes the engine with it
    #[arg(long)]
    pub follow_stdin: bool,
}

impl EngineOptions {
    /// The defaults for a data folder.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            lib: None,
            config_file: None,
            max_memory_bytes: 1 << 30,
            max_body_bytes: 64 << 20,
            max_concurrent: 8,
            password: String::new(),
            reader: None,
            reader_password: String::new(),
            allow_faults: false,
            port_file: None,
            follow_stdin: false,
        }
    }

    /// The user who may do everything.
    pub(crate) fn owner(&self) -> Credential {
        Credential { user: "default".to_owned(), password: self.password.clone() }
    }

    /// The user who may only read, if there is one.
    pub(crate) fn reader(&self) -> Option<Credential> {
        let user = self.reader.clone()?;
        Some(Credential { user, password: self.reader_password.clone() })
    }

    /// The command line that says the same; the passwords go into [`EngineOptions::to_env`].
    pub(crate) fn to_args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec![];
        let mut flag = |name: &str, value: OsString| args.extend([name.into(), value]);
        flag("--data-dir", self.data_dir.clone().into());
        flag("--listen", self.listen.to_string().into());
        flag("--max-memory-bytes", self.max_memory_bytes.to_string().into());
        flag("--max-body-bytes", self.max_body_bytes.to_string().into());
        flag("--max-concurrent", self.max_concurrent.to_string().into());
        if let Some(lib) = &self.lib {
            flag("--lib", lib.into());
        }
        if let Some(file) = &self.config_file {
            flag("--config-file", file.into());
        }
        if let Some(reader) = &self.reader {
            flag("--reader", reader.into());
        }
        if let Some(file) = &self.port_file {
            flag("--port-file", file.into());
        }
        if self.allow_faults {
            args.push("--allow-faults".into());
        }
        if self.follow_stdin {
            args.push("--follow-stdin".into());
        }
        args
    }

    pub(crate) fn to_env(&self) -> [(&'static str, &str); 2] {
        [
            ("NAAP_ENGINE_PASSWORD", &self.password),
            ("NAAP_ENGINE_READER_PASSWORD", &self.reader_password),
        ]
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: EngineOptions,
    }

    fn parse(options: &EngineOptions) -> EngineOptions {
        let args = [OsString::from("engine")].into_iter().chain(options.to_args());
        Cli::parse_from(args).options
    }

    #[test]
    fn the_command_line_says_the_same_as_the_options() {
        let plain = EngineOptions::new("/data");
        assert_eq!(parse(&plain).data_dir, plain.data_dir);
        let full = EngineOptions {
            lib: Some("/x/lib.so".into()),
            config_file: Some("/x/config.xml".into()),
            max_memory_bytes: 5,
            max_body_bytes: 6,
            max_concurrent: 7,
            reader: Some("viewer".into()),
            allow_faults: true,
            port_file: Some("/p".into()),
            follow_stdin: true,
            ..plain
        };
        assert_eq!(parse(&full), full);
    }
}

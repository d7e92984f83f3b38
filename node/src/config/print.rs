//! The effective configuration as text, without secrets, with the origin of everything that is not a default.

use std::fmt::Write;

use serde_json::{Map, json};

use super::Loaded;
use super::section::Section;

impl Loaded {
    /// TOML that reads back as the same configuration, except secrets.
    pub fn to_toml(&self) -> String {
        let mut text = String::from(
            "# The effective configuration; a comment names the origin of what is not a default.\n",
        );
        let mut current = String::new();
        for (path, value) in self.values() {
            let (section, key) = path.rsplit_once('.').unwrap_or(("", &path));
            if section != current {
                let _ = write!(text, "\n[{section}]\n");
                section.clone_into(&mut current);
            }
            let _ = write!(text, "{key} = {value}");
            if let Some(origin) = self.origins.get(&path) {
                let origin = origin.to_string().replace(char::is_control, " ");
                let _ = write!(text, " # {origin}");
            }
            text.push('\n');
        }
        text
    }

    /// The same for programs: `config` is nested as in the file, `origins` maps dotted paths.
    pub fn to_json(&self) -> serde_json::Value {
        let mut root = Map::new();
        for (path, value) in self.values() {
            let value = serde_json::to_value(value).unwrap_or_default();
            insert(&mut root, &path, value);
        }
        let origins: Map<_, _> = self
            .origins
            .iter()
            .map(|(path, origin)| (path.clone(), json!(origin.to_string())))
            .collect();
        json!({ "config": root, "origins": origins })
    }

    fn values(&self) -> Vec<(String, toml::Value)> {
        let mut values = Vec::new();
        self.config.show("", &mut values);
        values.retain(|(path, _)| !self.config.supervision.restart.unused(path));
        values
    }
}

fn insert(table: &mut Map<String, serde_json::Value>, path: &str, value: serde_json::Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = table.entry(section).or_insert_with(|| json!({}));
            if let Some(inner) = inner.as_object_mut() {
                insert(inner, rest, value);
            }
        }
    }
}

//! Names of capabilities, pipelines and models (contract events.md 4.4, 5.4; backlog 022).
//!
//! The lists are data: `deploy/catalogue/capabilities.v1.json`, built into the binary.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;

use crate::identity::is_blank;

/// Id of the capability whose models and prices carry free capability names (BYOC).
pub const BYOC: i32 = 37;
/// Id written where no capability is known; 0 is a real id.
pub const MISSING: i32 = -1;
/// Name and group of an id that the catalogue does not know.
pub const UNKNOWN: &str = "unknown";

/// One version of the lists.
#[derive(Debug)]
pub struct Catalogue {
    version: String,
    capabilities: BTreeMap<i32, Entry>,
    pipelines: BTreeSet<String>,
    model_aliases: BTreeMap<String, String>,
    model_prefixes: Vec<ModelPrefix>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: String,
    capabilities: Vec<Entry>,
    pipelines: BTreeSet<String>,
    model_aliases: BTreeMap<String, String>,
    model_prefixes: Vec<ModelPrefix>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: i32,
    name: String,
    group: String,
    #[serde(default)]
    pipeline: String,
}

/// Models whose name begins with `prefix` belong to `pipeline`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelPrefix {
    prefix: String,
    pipeline: String,
}

/// A capability as rows show it; the field names are column names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability<'c> {
    /// The id as advertised; [`MISSING`] when there is none.
    pub capability_id: i32,
    /// Name, [`UNKNOWN`] for an id that the catalogue does not know.
    pub capability_name: &'c str,
    /// Group, [`UNKNOWN`] for an id that the catalogue does not know.
    pub capability_group: &'c str,
    /// Version of the catalogue that gave name and group.
    pub capability_catalog_version: &'c str,
}

/// What the field `pipeline` of a signal says (lifecycle 7.10, hint normalisation).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hint<'t> {
    /// A slug of the allow-list, or `""`.
    pub pipeline: Cow<'t, str>,
    /// Model name after aliases, or `""`.
    pub model: Cow<'t, str>,
    /// The pipeline follows from the model name; it was not said.
    pub inferred: bool,
}

impl Catalogue {
    /// The catalogue that the binary was built with.
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<Catalogue> = LazyLock::new(|| {
            let text = include_str!("../../../deploy/catalogue/capabilities.v1.json");
            #[expect(clippy::expect_used, reason = "constant text, parsed by every test run")]
            Catalogue::parse(text).expect("the built-in catalogue is valid")
        });
        &BUILTIN
    }

    /// Reads a catalogue file.
    ///
    /// # Errors
    /// The text is no JSON of this form, or has unknown fields.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let document: Document = serde_json::from_str(text)?;
        Ok(Self {
            version: document.version,
            capabilities: document.capabilities.into_iter().map(|c| (c.id, c)).collect(),
            pipelines: document.pipelines,
            model_aliases: document.model_aliases,
            model_prefixes: document.model_prefixes,
        })
    }

    /// Id, name and group for rows; the id stays when it is unknown, none is [`MISSING`].
    pub fn capability(&self, id: Option<i32>) -> Capability<'_> {
        let known = id.and_then(|id| self.capabilities.get(&id));
        Capability {
            capability_id: id.unwrap_or(MISSING),
            capability_name: known.map_or(UNKNOWN, |c| &c.name),
            capability_group: known.map_or(UNKNOWN, |c| &c.group),
            capability_catalog_version: &self.version,
        }
    }

    /// The pipeline slug of an inference capability, `""` for every other id.
    pub fn pipeline_of(&self, capability: i32) -> &str {
        self.capabilities.get(&capability).map_or("", |c| &c.pipeline)
    }

    /// The pipeline allow-list, in order.
    pub fn pipelines(&self) -> impl Iterator<Item = &str> {
        self.pipelines.iter().map(String::as_str)
    }

    /// The capability whose slug `pipeline` is, ignoring case and outer space; [`BYOC`] for a name
    /// outside the allow-list, `None` for blank text and slugs without a capability.
    pub fn capability_of(&self, pipeline: &str) -> Option<i32> {
        if is_blank(pipeline) {
            return None;
        }
        let Some(slug) = self.slug(pipeline) else { return Some(BYOC) };
        self.capabilities.values().find(|c| c.pipeline == slug).map(|c| c.id)
    }

    /// The slug of the pipeline allow-list that `text` is, ignoring case and outer space.
    pub fn slug(&self, text: &str) -> Option<&str> {
        self.pipelines.get(&text.trim().to_ascii_lowercase()).map(String::as_str)
    }

    /// Tells whether a signal's `pipeline` names a pipeline or a model, and applies the aliases.
    pub fn hint<'t>(&'t self, text: &'t str) -> Hint<'t> {
        if let Some(slug) = self.slug(text) {
            return Hint { pipeline: slug.into(), ..Hint::default() };
        }
        let folded = text.trim().to_ascii_lowercase();
        let model = self.model_aliases.get(&folded).map_or(text.trim(), String::as_str);
        let pipeline = self.inferred_pipeline(model);
        Hint { pipeline: pipeline.into(), model: model.into(), inferred: !pipeline.is_empty() }
    }

    /// The pipeline that a model's name implies, `""` if none.
    pub fn inferred_pipeline(&self, model: &str) -> &str {
        let folded = model.trim().to_ascii_lowercase();
        let rule = self.model_prefixes.iter().find(|rule| folded.starts_with(&rule.prefix));
        rule.map_or("", |rule| &rule.pipeline)
    }
}

/// `""` when pipeline and model are equal ignoring case, else the pipeline (lifecycle 7.6).
pub fn canonical_pipeline<'t>(pipeline: &'t str, model: &str) -> &'t str {
    if pipeline.trim().eq_ignore_ascii_case(model.trim()) { "" } else { pipeline }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_38_capabilities_and_12_pipelines() {
        let catalogue = Catalogue::builtin();
        assert_eq!(catalogue.version, "v1");
        assert!(catalogue.capabilities.keys().copied().eq(0..=37));
        assert_eq!(catalogue.pipelines.len(), 12);
        let with_slug: Vec<i32> = catalogue
            .capabilities
            .values()
            .filter(|c| !c.pipeline.is_empty())
            .map(|c| c.id)
            .collect();
        assert_eq!(with_slug, (27..=36).collect::<Vec<_>>());
        for id in with_slug {
            let slug = catalogue.pipeline_of(id);
            assert_eq!(catalogue.slug(slug), Some(slug));
            assert_eq!(catalogue.capability_of(slug), Some(id));
        }
    }

    #[test]
    fn ids_give_name_and_group() {
        let row = |id| {
            let c = Catalogue::builtin().capability(id);
            (c.capability_id, c.capability_name, c.capability_group)
        };
        assert_eq!(row(Some(0)), (0, "H.264", "transcoding"));
        assert_eq!(row(Some(13)), (13, "Scene classification", "deprecated"));
        assert_eq!(row(Some(35)), (35, "Live video to video", "live-video"));
        assert_eq!(row(Some(37)), (37, "byoc", "byoc"));
        assert_eq!(row(Some(38)), (38, "unknown", "unknown"));
        assert_eq!(row(None), (-1, "unknown", "unknown"));
    }

    #[test]
    fn pipelines_name_capabilities() {
        let id = |pipeline| Catalogue::builtin().capability_of(pipeline);
        assert_eq!(id(" LLM "), Some(33));
        assert_eq!(id("openai-chat-completions"), Some(BYOC));
        assert_eq!(id("noop"), None);
        assert_eq!(id("  "), None);
    }

    #[test]
    fn hints_follow_the_vectors() {
        let live = "live-video-to-video";
        // (text, pipeline, model, inferred): V101 to V106, backlog 022.
        let table = [
            ("streamdiffusion-sdxl-v2v", live, "streamdiffusion-sdxl-v2v", true),
            ("pip_SDXL-turbo-v2v", live, "streamdiffusion-sdxl-v2v", true),
            ("pip_SDXL-turbo", live, "streamdiffusion-sdxl", true),
            ("pip_sd-turbo", live, "streamdiffusion-sdxl", true),
            (" pip_sdxl-turbo-faceid ", live, "streamdiffusion-sdxl-faceid", true),
            ("StreamDiffusion", live, "StreamDiffusion", true),
            ("openai-chat-completions", "", "openai-chat-completions", false),
            ("Live-Video-To-Video", live, "", false),
            ("text-to-video", "text-to-video", "", false),
            ("", "", "", false),
            (" \t", "", "", false),
        ];
        for (text, pipeline, model, inferred) in table {
            let want = Hint { pipeline: pipeline.into(), model: model.into(), inferred };
            assert_eq!(Catalogue::builtin().hint(text), want, "{text:?}");
        }
    }

    #[test]
    fn a_pipeline_that_is_its_model_is_blank() {
        let model = "streamdiffusion-sdxl";
        assert_eq!(canonical_pipeline(model, model), "");
        assert_eq!(canonical_pipeline("StreamDiffusion-SDXL", model), "");
        assert_eq!(canonical_pipeline("live-video-to-video", model), "live-video-to-video");
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let text = r#"{"version":"v2","capabilities":[],"pipelines":[],"model_aliases":{},
            "model_prefixes":[],"more":1}"#;
        assert!(Catalogue::parse(text).is_err());
    }
}

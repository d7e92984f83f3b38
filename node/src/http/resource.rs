//! The lists that are served: each a view, with its key and the meaning of its fields.

use naap_protocol::views::{self, ViewSpec};

/// A field of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name, equal to the column.
    pub name: &'static str,
    /// Type as `ClickHouse` has it.
    pub ty: &'static str,
    /// Meaning, unit and null rule.
    pub doc: &'static str,
}

/// A list.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Address below `/v1/streaming/`.
    pub path: &'static str,
    /// The view that is read.
    pub view: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// The columns that identify a row; the order of the answer and the cursor.
    pub key: Vec<&'static str>,
    /// Columns that a request may fix.
    pub filters: Vec<&'static str>,
    /// Whether rows have an hour; others are what is so now.
    pub hourly: bool,
    /// Every field.
    pub fields: Vec<Field>,
}

/// Scores are told to so many decimals, as the contract has them (backlog 003); tables keep all.
pub const SCORE: (&str, u8) = ("sla_score", 4);

/// The column with the hour.
pub const HOUR: &str = "window_start";

/// Columns that requests can fix, where a view has them in its key.
const FILTERS: [&str; 6] =
    ["orchestrator_address", "gateway", "pipeline_id", "model_id", "gpu_id", "region"];

impl Resource {
    /// Every list.
    pub fn all() -> Vec<Self> {
        vec![
            Self::of("gpu-metrics", &views::service::GPU_METRICS),
            Self::of("demand", &views::demand::NETWORK_DEMAND),
            Self::of("sla", &views::service::SLA_COMPLIANCE),
            Self::of("inventory", &views::feeds::GPU_INVENTORY_CURRENT),
        ]
    }

    fn of(path: &'static str, view: &'static ViewSpec) -> Self {
        let field = |column: &views::ViewColumn| Field {
            name: column.name,
            ty: column.ty,
            doc: column.doc,
        };
        Self {
            path,
            view: view.name,
            doc: view.doc,
            key: view.key.to_vec(),
            filters: FILTERS.into_iter().filter(|name| view.key.contains(name)).collect(),
            hourly: view.key.contains(&HOUR),
            fields: view.columns().map(field).collect(),
        }
    }

    /// The key in the order of the answer: the newest hour first, then ascending.
    pub fn order(&self) -> Vec<&'static str> {
        self.key.iter().copied().filter(|name| *name != HOUR).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_has_its_key_among_its_fields_and_each_field_a_meaning() {
        for resource in Resource::all() {
            let names: Vec<&str> = resource.fields.iter().map(|field| field.name).collect();
            assert!(resource.key.contains(&"org"), "{}", resource.path);
            assert_eq!(resource.hourly, resource.key.contains(&HOUR), "{}", resource.path);
            for name in resource.key.iter().chain(&resource.filters) {
                assert!(names.contains(name), "{}: {name}", resource.path);
            }
            for field in &resource.fields {
                assert!(!field.doc.is_empty() && !field.ty.is_empty(), "{}", field.name);
            }
        }
    }
}

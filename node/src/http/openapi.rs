//! The `OpenAPI` document, made from the lists: one source for views, column comments and this.

use serde_json::{Map, Value, json};

use super::request::Bounds;
use super::resource::{Field, Resource, SCORE};
use crate::config::duration_text;

/// The document.
pub fn document(resources: &[Resource], bounds: Bounds) -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    schemas.insert("problem".to_owned(), problem_schema());
    schemas.insert("meta".to_owned(), meta_schema());
    schemas.insert("check".to_owned(), check_schema());
    schemas.insert("story".to_owned(), story_schema());
    for resource in resources {
        paths.insert(format!("/v1/streaming/{}", resource.path), list_path(resource, bounds));
        schemas.insert(resource.path.to_owned(), row_schema(resource));
    }
    paths.insert("/v1/streaming/sessions/{id}".to_owned(), session_path());
    paths.insert("/v1/quality/checks".to_owned(), checks_path());
    paths.insert("/healthz".to_owned(), plain_path("The process lives.", "healthz", &["200"]));
    paths.insert("/readyz".to_owned(), plain_path("Facts can be read.", "readyz", &["200", "503"]));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "naap",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Facts about AI video sessions of a Livepeer network. Read-only. Times are UTC, \
                windows half-open; NULL means no evidence, 0 a measured zero.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

fn parameter(name: &str, place: &str, doc: &str, schema: &Value) -> Value {
    json!({
        "name": name, "in": place, "required": place == "path", "description": doc, "schema": schema,
    })
}

fn list_path(resource: &Resource, bounds: Bounds) -> Value {
    let text = json!({ "type": "string", "maxLength": 2048 });
    let org =
        json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "maxLength": 249 });
    let mut parameters = vec![parameter("org", "query", "Organisation; all when not given.", &org)];
    if resource.hourly {
        let span = duration_text(bounds.max_span);
        let time = json!({ "type": "string", "examples": ["2026-01-08T20:00:00Z"] });
        let start = format!(
            "Begin of the window, RFC 3339; 24 hours before the end. At most {span} before it."
        );
        parameters.push(parameter("start", "query", &start, &time));
        parameters.push(parameter(
            "end",
            "query",
            "End of the window, exclusive; now when not given. A cursor keeps the window.",
            &time,
        ));
    }
    for name in &resource.filters {
        let doc = resource.fields.iter().find(|field| field.name == *name);
        let doc = doc.map_or("", |field| field.doc);
        parameters.push(parameter(
            name,
            "query",
            &format!("Only rows with this value. {doc}"),
            &text,
        ));
    }
    let rows =
        json!({ "type": "integer", "minimum": 1, "maximum": bounds.max_rows, "default": 50 });
    parameters.push(parameter("limit", "query", "Most rows of the answer.", &rows));
    let cursor = "`next_cursor` of the answer before, with the same other parameters.";
    parameters.push(parameter("cursor", "query", cursor, &text));
    let schema = json!({
        "type": "object",
        "required": ["data", "pagination", "meta"],
        "properties": {
            "data": { "type": "array", "items": reference(resource.path) },
            "pagination": {
                "type": "object",
                "required": ["next_cursor", "has_more", "page_size"],
                "properties": {
                    "next_cursor": { "type": ["string", "null"] },
                    "has_more": { "type": "boolean" },
                    "page_size": { "type": "integer" },
                },
            },
            "meta": reference("meta"),
        },
    });
    operation(resource.doc, resource.path, &parameters, &schema, &["400", "429", "503"])
}

fn session_path() -> Value {
    let text = json!({ "type": "string", "minLength": 1, "maxLength": 2048 });
    let org =
        json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "maxLength": 249 });
    let parameters = [
        parameter(
            "id",
            "path",
            "Session id `stream|request`, stream id, or the beginning of one.",
            &text,
        ),
        parameter("org", "query", "Organisation; all when not given.", &org),
    ];
    let schema = json!({
        "type": "object",
        "required": ["data", "meta"],
        "properties": { "data": reference("story"), "meta": reference("meta") },
    });
    let doc = "The story of one session: signals in order, selections with every candidate, segments, swaps, \
        latencies, the rule that fixed the outcome, and what differs from the stored facts.";
    operation(doc, "session", &parameters, &schema, &["400", "404", "409", "429", "503"])
}

fn checks_path() -> Value {
    let schema = json!({
        "type": "object",
        "required": ["data", "meta"],
        "properties": {
            "data": { "type": "array", "items": reference("check") },
            "meta": reference("meta"),
        },
    });
    let doc = "Every check of the stored data, and the newest result of the quality probe for it.";
    operation(doc, "quality-checks", &[], &schema, &["400", "429", "503"])
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn operation(
    doc: &str,
    id: &str,
    parameters: &[Value],
    schema: &Value,
    refusals: &[&str],
) -> Value {
    let mut responses = Map::new();
    let content = json!({ "application/json": { "schema": schema } });
    responses.insert("200".to_owned(), json!({ "description": "The answer.", "content": content }));
    for status in refusals {
        let content = json!({ "application/problem+json": { "schema": reference("problem") } });
        let why = json!({ "description": "Why there is no answer.", "content": content });
        responses.insert((*status).to_owned(), why);
    }
    json!({ "get": {
        "operationId": id, "summary": doc, "parameters": parameters, "responses": responses,
    } })
}

fn plain_path(doc: &str, id: &str, statuses: &[&str]) -> Value {
    let mut responses = Map::new();
    for status in statuses {
        let content = json!({ "text/plain": { "schema": { "type": "string" } } });
        responses.insert((*status).to_owned(), json!({ "description": doc, "content": content }));
    }
    json!({ "get": { "operationId": id, "summary": doc, "responses": responses } })
}

fn row_schema(resource: &Resource) -> Value {
    let properties: Map<String, Value> =
        resource.fields.iter().map(|field| (field.name.to_owned(), field_schema(field))).collect();
    let required: Vec<&str> = resource.fields.iter().map(|field| field.name).collect();
    json!({
        "type": "object",
        "description": resource.doc,
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

fn field_schema(field: &Field) -> Value {
    let (mut schema, nullable) = type_schema(field.ty);
    if nullable && let Some(kind) = schema.get("type").cloned() {
        schema["type"] = json!([kind, "null"]);
    }
    let (score, decimals) = SCORE;
    schema["description"] = json!(if field.name == score {
        field.doc.replace("not rounded", &format!("rounded to {decimals} decimals"))
    } else {
        field.doc.to_owned()
    });
    schema
}

/// The schema of a type of `ClickHouse`, and whether it can be NULL.
fn type_schema(ty: &str) -> (Value, bool) {
    let inside = |name: &str| ty.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    if let Some(inner) = inside("LowCardinality") {
        return type_schema(inner);
    }
    if let Some(inner) = inside("Nullable") {
        return (type_schema(inner).0, true);
    }
    if let Some(inner) = inside("Array") {
        return (json!({ "type": "array", "items": type_schema(inner).0 }), false);
    }
    let schema = match ty {
        "Bool" => json!({ "type": "boolean" }),
        ty if ty.starts_with("UInt") => json!({ "type": "integer", "minimum": 0 }),
        ty if ty.starts_with("Int") => json!({ "type": "integer" }),
        ty if ty.starts_with("Float") || ty.starts_with("Decimal") => json!({ "type": "number" }),
        ty if ty.starts_with("DateTime") => json!({ "type": "string", "format": "date-time" }),
        ty if ty.starts_with("Map") => json!({ "type": "object" }),
        _ => json!({ "type": "string" }),
    };
    (schema, false)
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "RFC 7807.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string", "description": "What is wrong, and what to ask instead." },
        },
    })
}

fn meta_schema() -> Value {
    json!({
        "type": "object",
        "required": ["generated_at", "request_id"],
        "properties": {
            "generated_at": { "type": "string", "format": "date-time" },
            "request_id": { "type": "string" },
        },
    })
}

fn check_schema() -> Value {
    let text = json!({ "type": "string" });
    let last = json!({ "type": ["object", "null"], "description": "NULL when it was never run by the probe." });
    json!({
        "type": "object",
        "required": ["id", "title", "kind", "pack", "relation", "remedy", "contract", "last"],
        "properties": {
            "id": text, "title": text, "kind": text, "pack": text, "relation": text, "remedy": text,
            "contract": text, "last": last,
        },
    })
}

fn story_schema() -> Value {
    let list = json!({ "type": "array", "items": { "type": "object" } });
    json!({
        "type": "object",
        "required": ["session", "told_from", "rule", "timeline", "selections", "segments", "swaps",
            "latency", "tables", "corrections", "findings"],
        "properties": {
            "session": { "type": "object" }, "told_from": { "type": "object" }, "rule": { "type": "object" },
            "timeline": list, "selections": list, "segments": list, "swaps": list, "latency": list,
            "tables": { "type": "object" }, "corrections": list,
            "findings": { "type": "array" },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_of_the_answers() {
        for (ty, expected, nullable) in [
            ("UInt64", json!({ "type": "integer", "minimum": 0 }), false),
            ("LowCardinality(Nullable(String))", json!({ "type": "string" }), true),
            ("Nullable(Float64)", json!({ "type": "number" }), true),
            ("DateTime64(3, 'UTC')", json!({ "type": "string", "format": "date-time" }), false),
            ("Array(String)", json!({ "type": "array", "items": { "type": "string" } }), false),
        ] {
            assert_eq!(type_schema(ty), (expected, nullable), "{ty}");
        }
    }
}

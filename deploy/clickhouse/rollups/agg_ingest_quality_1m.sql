-- Goes on where ingest_samples.sql ends. Reads the figures of that file.
SELECT
    {org:String} AS org, key_gateway AS gateway, key_pipeline AS pipeline_id, key_model AS model_id,
    key_region AS region, figures.* EXCEPT (key_gateway, key_pipeline, key_model, key_region)
FROM figures

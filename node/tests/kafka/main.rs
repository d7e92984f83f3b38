//! The Kafka source against brokers: a mock inside the process, and a real one where
//! `NAAP_KAFKA_BOOTSTRAP` names it.

mod broker;
mod helper;
mod meter;
mod mock;
mod real;

//! What can be wrong with Kafka, as sentences that name the broker or topic and the remedy.

use rdkafka::error::RDKafkaErrorCode;
use thiserror::Error;

/// Why the Kafka source or the reject topics can not start, or ended by themselves.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KafkaError {
    /// No broker answers.
    #[error(
        "no answer from the Kafka brokers {brokers}: {reason}; check kafka.bootstrap, kafka.security_protocol and \
         that the brokers can be reached from here"
    )]
    Unreachable {
        /// Brokers as configured.
        brokers: String,
        /// What the client saw last.
        reason: String,
    },
    /// An input topic does not exist.
    #[error(
        "the Kafka brokers {brokers} have no topic \"{topic}\"; create it, or correct ingest.topics"
    )]
    NoSuchTopic {
        /// Brokers as configured.
        brokers: String,
        /// Topic as configured.
        topic: String,
    },
    /// The brokers refuse access.
    #[error(
        "the Kafka brokers refuse {user} access to {what}; grant it (topics: describe and read, group: read), or \
         correct kafka.username"
    )]
    NotAuthorised {
        /// Who asks.
        user: String,
        /// The topic or the group.
        what: String,
    },
    /// A topic for rejects does not exist.
    #[error(
        "the Kafka brokers {brokers} have no topic \"{topic}\" for rejects; create it, correct kafka.rejects, or set \
         kafka.rejects.enabled = false to keep rejects in tables only"
    )]
    NoRejectTopic {
        /// Brokers as configured.
        brokers: String,
        /// Topic as configured.
        topic: String,
    },
    /// The brokers refuse to take rejects.
    #[error(
        "the Kafka brokers refuse {user} to write to the topic \"{topic}\"; grant it (topic: describe and write), or \
         correct kafka.username"
    )]
    MayNotWrite {
        /// Who asks.
        user: String,
        /// Topic as configured.
        topic: String,
    },
    /// The brokers do not take messages as long as ours.
    #[error(
        "the topic \"{topic}\" refuses a message that is too long for it; give it max.message.bytes = 1048588, the \
         default of brokers"
    )]
    MessageTooLong {
        /// Topic as configured.
        topic: String,
    },
    /// Another consumer has taken over the static membership.
    #[error(
        "another consumer of group \"{group}\" calls itself \"{node}\" and has taken this one's place; give every \
         node its own node.name"
    )]
    NameTaken {
        /// Consumer group.
        group: String,
        /// Node name.
        node: String,
    },
    /// The brokers do not allow the session timeout.
    #[error(
        "the Kafka brokers refuse kafka.session_timeout = {millis}ms; raise it, or lower \
         group.min.session.timeout.ms at the brokers"
    )]
    SessionTimeout {
        /// Timeout as configured.
        millis: u128,
    },
    /// Members of the group disagree about the way partitions are shared out.
    #[error(
        "other consumers of group \"{group}\" share out partitions in another way than cooperative-sticky; stop \
         them, or choose another ingest.group"
    )]
    OtherProtocol {
        /// Consumer group.
        group: String,
    },
    /// The members topic is not what it must be.
    #[error("the members topic \"{topic}\" {wrong}")]
    MembersTopic {
        /// Topic as configured.
        topic: String,
        /// What is wrong, and the remedy.
        wrong: String,
    },
    /// The topic of the state log is not what it must be.
    #[error("the topic \"{topic}\" of the state log {wrong}")]
    StateTopic {
        /// Topic as configured.
        topic: String,
        /// What is wrong, and the remedy.
        wrong: String,
    },
    /// The topic of the state log can not be made.
    #[error(
        "the topic \"{topic}\" of the state log is missing, and the Kafka brokers refuse to make it: {reason}; make \
         it by hand as docs/cluster.md says, or grant this user to create topics"
    )]
    StateTopicRefused {
        /// Topic as configured.
        topic: String,
        /// What the brokers say.
        reason: String,
    },
    /// The local copy of the state log can not be made.
    #[error(
        "the mirror of the state log can not be made in node.data_dir: {0}; free space, or choose another folder"
    )]
    Mirror(String),
    /// The client library refuses the settings, or files named in them can not be used.
    #[error("the Kafka client refuses the settings: {0}; correct the section [kafka]")]
    Settings(String),
    /// The password can not be read.
    #[error("{0}")]
    Secret(String),
    /// A certificate or key file can not be read.
    #[error("{0}")]
    File(String),
    /// The client failed for good.
    #[error("the Kafka client failed for good: {0}; restart the node")]
    Fatal(String),
    /// The ingest has stopped: the node is failing or stopping.
    #[error("the ingest has stopped")]
    IntakeGone,
    /// The thread can not be started or ended by itself.
    #[error("the Kafka consumer thread ended: {0}")]
    Thread(String),
}

/// Who asks whom for what: the names that sentences need.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub brokers: String,
    pub user: String,
    pub group: String,
    pub node: String,
    pub topics: Vec<String>,
    pub session_millis: u128,
}

impl Names {
    /// The error that `code` means for the whole source; `None` where the client recovers by itself.
    pub fn lasting(&self, code: RDKafkaErrorCode) -> Option<KafkaError> {
        let refused = |what| KafkaError::NotAuthorised { user: self.user.clone(), what };
        let group = || self.group.clone();
        match code {
            RDKafkaErrorCode::TopicAuthorizationFailed => {
                Some(refused(format!("the topics {}", self.topics.join(", "))))
            }
            RDKafkaErrorCode::GroupAuthorizationFailed => {
                Some(refused(format!("the consumer group {}", self.group)))
            }
            RDKafkaErrorCode::FencedInstanceId => {
                Some(KafkaError::NameTaken { group: group(), node: self.node.clone() })
            }
            RDKafkaErrorCode::InvalidSessionTimeout => {
                Some(KafkaError::SessionTimeout { millis: self.session_millis })
            }
            RDKafkaErrorCode::InconsistentGroupProtocol => {
                Some(KafkaError::OtherProtocol { group: group() })
            }
            _ => None,
        }
    }

    /// What is wrong with a topic, if it is more than a passing state.
    pub fn topic(&self, topic: &str, code: RDKafkaErrorCode) -> Option<KafkaError> {
        match code {
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
                let (brokers, topic) = (self.brokers.clone(), topic.to_owned());
                Some(KafkaError::NoSuchTopic { brokers, topic })
            }
            RDKafkaErrorCode::TopicAuthorizationFailed => {
                let what = format!("the topic {topic}");
                Some(KafkaError::NotAuthorised { user: self.user.clone(), what })
            }
            _ => None,
        }
    }
}

impl Names {
    /// What is wrong with a topic that rejects are written to, if it is more than a passing state.
    pub fn reject_topic(&self, topic: &str, code: RDKafkaErrorCode) -> Option<KafkaError> {
        let topic = topic.to_owned();
        match code {
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
                Some(KafkaError::NoRejectTopic { brokers: self.brokers.clone(), topic })
            }
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed => {
                Some(KafkaError::MayNotWrite { user: self.user.clone(), topic })
            }
            RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::MessageBatchTooLarge => {
                Some(KafkaError::MessageTooLong { topic })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_name_what_is_wrong_and_the_remedy() {
        let names = Names {
            brokers: "b:9092".into(),
            user: "user naap".into(),
            group: "g".into(),
            node: "naap-0".into(),
            topics: vec!["t".into(), "u".into()],
            session_millis: 3000,
        };
        let cases = [
            (RDKafkaErrorCode::TopicAuthorizationFailed, "user naap access to the topics t, u"),
            (RDKafkaErrorCode::GroupAuthorizationFailed, "the consumer group g"),
            (RDKafkaErrorCode::FencedInstanceId, "calls itself \"naap-0\""),
            (RDKafkaErrorCode::InvalidSessionTimeout, "kafka.session_timeout = 3000ms"),
            (RDKafkaErrorCode::InconsistentGroupProtocol, "choose another ingest.group"),
        ];
        for (code, part) in cases {
            let sentence = names.lasting(code).unwrap().to_string();
            assert!(sentence.contains(part), "{sentence}");
        }
        assert_eq!(names.lasting(RDKafkaErrorCode::BrokerTransportFailure), None);
        let missing = names.topic("t", RDKafkaErrorCode::UnknownTopicOrPartition).unwrap();
        assert_eq!(
            missing.to_string(),
            "the Kafka brokers b:9092 have no topic \"t\"; create it, or correct ingest.topics"
        );
        assert_eq!(names.topic("t", RDKafkaErrorCode::LeaderNotAvailable), None);
        let cases = [
            (RDKafkaErrorCode::UnknownTopic, "kafka.rejects.enabled = false"),
            (RDKafkaErrorCode::TopicAuthorizationFailed, "user naap to write to the topic \"t\""),
            (RDKafkaErrorCode::MessageSizeTooLarge, "max.message.bytes = 1048588"),
        ];
        for (code, part) in cases {
            let sentence = names.reject_topic("t", code).unwrap().to_string();
            assert!(sentence.contains(part), "{sentence}");
        }
        // The sink tries again.
        assert_eq!(names.reject_topic("t", RDKafkaErrorCode::MessageTimedOut), None);
    }
}

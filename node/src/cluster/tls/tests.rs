use super::*;
use crate::config::Config;

#[path = "../../../tests/cluster/authority.rs"]
mod authority;

use authority::{Authority, Files as Paths};

fn load(paths: &Paths, node: &str) -> Result<Option<Certificates>, TlsError> {
    let mut cluster = Config::default().cluster;
    cluster.ca_file = Some(paths.ca.clone());
    cluster.cert_file = Some(paths.cert.clone());
    cluster.key_file = Some(paths.key.clone());
    Certificates::load(&cluster, node)
}

/// What two nodes make of each other's certificates.
async fn meet(one: &Ends, other: &Ends, dialled: &'static str) -> (bool, bool) {
    let (a, b) = tokio::io::duplex(1 << 16);
    let name = ServerName::try_from(dialled).unwrap();
    let (dial, take) = tokio::join!(one.connector.connect(name, a), other.acceptor.accept(b));
    (dial.is_ok(), take.is_ok())
}

#[tokio::test]
async fn a_changed_certificate_counts_and_a_broken_change_does_not() {
    let (authority, other) = (Authority::new(), Authority::new());
    let paths = authority.issue("a", "naap-0");
    let peer = load(&authority.issue("b", "naap-1"), "naap-1").unwrap().unwrap();
    let own = load(&paths, "naap-0").unwrap().unwrap();
    let now = Instant::now();
    assert_eq!(meet(&peer.current(now), &own.current(now), "naap-0").await, (true, true));
    assert!(
        !meet(&peer.current(now), &own.current(now), "naap-7").await.0,
        "another name was dialled"
    );

    let foreign = other.issue("c", "naap-0");
    std::fs::copy(&foreign.cert, &paths.cert).unwrap();
    let later = now + FRESH;
    assert_eq!(
        meet(&peer.current(now), &own.current(later), "naap-0").await,
        (true, true),
        "key and certificate differ"
    );
    std::fs::copy(&foreign.key, &paths.key).unwrap();
    assert_eq!(
        meet(&peer.current(now), &own.current(later), "naap-0").await,
        (true, true),
        "looked too soon"
    );
    assert!(
        !meet(&peer.current(now), &own.current(later + FRESH), "naap-0").await.0,
        "another authority"
    );
    authority.write(&paths, "naap-0");
    assert_eq!(
        meet(&peer.current(now), &own.current(later + 2 * FRESH), "naap-0").await,
        (true, true)
    );
}

#[test]
fn what_can_not_be_used_is_a_sentence_without_secrets() {
    let authority = Authority::new();
    let good = authority.issue("a", "naap-0");
    let secret = std::fs::read_to_string(&good.key).unwrap();
    let sentence = |paths: &Paths, node: &str| load(paths, node).unwrap_err().to_string();
    let with = |cert: &PathBuf, key: &PathBuf, ca: &PathBuf| Paths {
        ca: ca.clone(),
        cert: cert.clone(),
        key: key.clone(),
    };
    let missing = good.ca.with_extension("none");
    let cases = [
        (sentence(&good, "naap-1"), "does not name naap-1; issue one with that DNS name"),
        (sentence(&with(&missing, &good.key, &good.ca), "naap-0"), "cannot read cluster.cert_file"),
        (
            sentence(&with(&good.cert, &good.cert, &good.ca), "naap-0"),
            "it holds no private key in PEM",
        ),
        (
            sentence(&with(&good.cert, &good.key, &good.key), "naap-0"),
            "it holds no certificate in PEM",
        ),
        (
            sentence(&with(&good.cert, &authority.issue("b", "b").key, &good.ca), "naap-0"),
            "cluster.key_file",
        ),
    ];
    for (sentence, part) in cases {
        assert!(sentence.contains(part), "{sentence}");
        assert!(secret.lines().all(|line| line.len() < 20 || !sentence.contains(line)));
    }
    let debug = format!("{:?}", load(&good, "naap-0").unwrap());
    assert_eq!(debug, "Some(Certificates { node: \"naap-0\", .. })");
}

#[test]
fn a_change_of_any_file_changes_the_hash() {
    let before = hash([b"a", b"a", b"k"]);
    assert_ne!(hash([b"b", b"b", b"k"]), before, "authority and certificate are one file");
    assert_ne!(hash([b"a", b"k", b"a"]), before);
    assert_ne!(hash([b"a", b"a", b"l"]), before);
    assert_eq!(hash([b"a", b"a", b"k"]), before);
}

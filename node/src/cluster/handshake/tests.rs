use proptest::prelude::*;

use super::*;

fn hello(node: &str) -> Hello {
    Hello {
        oldest: 2,
        newest: 3,
        role: Role::Peer,
        cluster: "c".into(),
        node: node.into(),
        incarnation: 10,
        shards: 64,
        routing_version: 1,
        nonce: node.len() as u128 + 7,
    }
}

fn dialled_us() -> Circumstances<'static> {
    Circumstances { dialled: None, named: Some(true), local: false, newest: None }
}

#[test]
fn a_fit_peer_is_taken() {
    let ours = hello("n-1");
    assert_eq!(judge(&ours, &hello("n-2"), &dialled_us()), Ok(()));
    for newest in [None, Some(9), Some(10)] {
        let seen = Circumstances { dialled: Some("n-0"), newest, named: None, ..dialled_us() };
        assert_eq!(judge(&ours, &hello("n-0"), &seen), Ok(()));
    }
    for (oldest, newest) in [(1, 2), (3, 9)] {
        let other = Hello { oldest, newest, ..hello("n-2") };
        assert_eq!(judge(&ours, &other, &dialled_us()), Ok(()));
    }
}

#[test]
fn every_refusal_says_what_to_do() {
    let (ours, peer, seen) = (hello("n-1"), hello("n-2"), dialled_us());
    let cases = [
        (
            Hello { cluster: "d\n".into(), ..peer.clone() },
            seen.clone(),
            "it belongs to cluster d, not c; give both nodes the same cluster.name",
        ),
        (
            Hello { oldest: 4, newest: 5, ..peer.clone() },
            seen.clone(),
            "it speaks link versions 4 to 5, this node 2 to 3; bring both nodes to the same release",
        ),
        (
            Hello { oldest: 1, newest: 1, ..peer.clone() },
            seen.clone(),
            "it speaks link versions 1 to 1, this node 2 to 3; bring both nodes to the same release",
        ),
        (
            Hello { shards: 32, ..peer.clone() },
            seen.clone(),
            "it has 32 shards, this node 64; cluster.shards is fixed for the life of a cluster",
        ),
        (
            Hello { routing_version: 2, ..peer.clone() },
            seen.clone(),
            "it routes by version 2, this node by 1; drain all nodes before such a change",
        ),
        (
            peer.clone(),
            Circumstances { named: Some(false), ..seen.clone() },
            "its certificate does not name n-2; issue one with that DNS name",
        ),
        (
            hello("n-1"),
            seen.clone(),
            "it is named n-1 as this node is; give each node its own node.name",
        ),
        (
            hello("n-0"),
            seen.clone(),
            "n-1 dials n-0, not the other way round; give both the same cluster.peers",
        ),
        (
            peer.clone(),
            Circumstances { dialled: Some("n-0"), ..seen.clone() },
            "n-0 was dialled and n-2 answered; correct cluster.peers or the name service",
        ),
        (
            peer.clone(),
            Circumstances { newest: Some(11), ..seen.clone() },
            "boot 10 of n-2 is over, boot 11 is known; a later boot needs a later clock",
        ),
    ];
    for (theirs, seen, sentence) in cases {
        assert_eq!(judge(&ours, &theirs, &seen), Err(sentence.to_owned()));
    }
}

#[test]
fn commands_come_with_the_nodes_own_certificate_or_from_this_machine() {
    let control = |node| Hello { role: Role::Control, shards: 1, ..hello(node) };
    let (ours, seen) = (hello("n-1"), dialled_us());
    let plain = |local| Circumstances { named: None, local, ..dialled_us() };
    assert_eq!(judge(&ours, &control("n-1"), &seen), Ok(()));
    assert_eq!(judge(&ours, &control("any"), &plain(true)), Ok(()));
    let refusal = judge(&ours, &control("n-2"), &seen).unwrap_err();
    assert_eq!(refusal, "commands for n-1 need the certificate of that node; run them beside it");
    let refusal = judge(&ours, &control("n-1"), &plain(false)).unwrap_err();
    assert_eq!(refusal, "commands over a plain connection must come from this machine");
    let wrong = Circumstances { named: Some(false), ..seen };
    assert!(judge(&ours, &control("n-1"), &wrong).is_err());
}

#[tokio::test]
async fn both_sides_hear_the_sentence() {
    let (mut a, mut b) = tokio::io::duplex(64);
    let (one, two) = (hello("a"), hello("b"));
    let refuse = |_: &Hello| Err("no\u{7} room".to_owned());
    let (left, right) = tokio::join!(shake(&mut a, &one, refuse), shake(&mut b, &two, |_| Ok(())));
    assert_eq!(left.unwrap_err().to_string(), "b is refused: no\u{7} room");
    assert_eq!(right.unwrap_err().to_string(), "a refuses this node: no room");
    let (left, right) =
        tokio::join!(shake(&mut a, &one, |_| Ok(())), shake(&mut b, &two, |_| Ok(())));
    assert_eq!((left.unwrap(), right.unwrap()), (two, one));
}

#[tokio::test]
async fn a_recording_is_not_taken() {
    let (ours, peer) = (hello("a"), hello("bb"));
    let mut recording = codec::encode(&peer, TraceContext::default()).unwrap();
    let verdict = Verdict { nonce: ours.nonce, refusal: None };
    recording.extend(codec::encode(&verdict, TraceContext::default()).unwrap());
    let again = Hello { nonce: 99, ..ours.clone() };
    for (ours, taken) in [(ours, true), (again, false)] {
        let (mut a, mut b) = tokio::io::duplex(4096);
        b.write_all(&recording).await.unwrap();
        let outcome = shake(&mut a, &ours, |_| Ok(())).await;
        assert_eq!(outcome.is_ok(), taken, "{outcome:?}");
    }
}

#[tokio::test]
async fn what_is_no_hello_is_foreign_and_nothing_is_made_room_for() {
    let mut huge = codec::encode(&hello("b"), TraceContext::default()).unwrap();
    huge[4..8].copy_from_slice(&(HELLO_BYTES as u32 + 1).to_le_bytes());
    let http = b"GET / HTTP/1.1\r\nHost: naap-0\r\nAccept: */*\r\n\r\n".to_vec();
    for (bytes, text) in
        [(huge, "hello frame announces 4097 bytes"), (http, "hello (type 1025) was expected")]
    {
        let (mut a, mut b) = tokio::io::duplex(4096);
        b.write_all(&bytes).await.unwrap();
        let error = shake(&mut a, &hello("a"), |_| Ok(())).await.unwrap_err();
        assert!(
            matches!(error, ShakeError::Foreign(_)) && error.to_string().contains(text),
            "{error}"
        );
    }
}

#[test]
fn numbers_rank_by_value() {
    let sorted =
        ["a", "b-1", "b-2", "b-10", "c", "naap-0", "naap-9", "naap-010", "naap-10", "naap-11"];
    for (at, low) in sorted.iter().enumerate() {
        for high in &sorted[at + 1..] {
            assert!(outranks(high, low) && !outranks(low, high), "{low} {high}");
        }
        assert!(!outranks(low, low));
    }
}

proptest! {
    #[test]
    fn of_two_nodes_exactly_one_dials(a in "[a-c]{0,2}[0-9]{0,3}", b in "[a-c]{0,2}[0-9]{0,3}") {
        prop_assert_eq!(outranks(&a, &b), a != b && !outranks(&b, &a));
    }

    #[test]
    fn no_bytes_make_the_handshake_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut a, mut b) = tokio::io::duplex(4096);
            b.write_all(&bytes).await.unwrap();
            drop(b);
            shake(&mut a, &hello("a"), |_| Ok(())).await.unwrap_err();
        });
    }
}

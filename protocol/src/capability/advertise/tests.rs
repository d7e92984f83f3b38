use super::super::decode::decode;
use super::super::fixtures::{batch_byoc, capture, live};
use super::*;

fn advertised(data: &str) -> Advertisements {
    let decoded = decode(data).unwrap();
    assert_eq!(decoded.bad_entries, []);
    advertisements(&decoded.document, Timestamp(1000), "uid", 0)
}

fn offer(pipeline: &str, model: &str, gpus: &[&str]) -> Offer {
    let gpus = gpus.iter().map(|gpu| (*gpu).to_owned()).collect();
    Offer { pipeline: pipeline.to_owned(), model: model.to_owned(), gpus }
}

#[test]
fn the_advertisement_of_the_capture() {
    let [ad] = <[_; 1]>::try_from(advertised(&capture()).nodes).unwrap();
    assert_eq!((ad.event_ts, ad.uid.as_str()), (Timestamp(1000), "uid"));
    assert_eq!(
        ad.routing_keys().into_iter().collect::<Vec<_>>(),
        [
            "0x52cf2968b3dc6016778742d3539449a6597d5954",
            "0xd00354656922168815fcd1e51cbddb9e359e3c7f",
            "https://rtav-orch2.xodeapp.xyz:28935",
        ]
    );
    let gpu = "GPU-a8d13655-197b-2226-d09f-b4b81e07504b";
    let want = [offer("live-video-to-video", "streamdiffusion-sdxl-faceid", &[gpu])];
    assert_eq!(ad.content.offers, want);
}

#[test]
fn every_entry_of_the_real_documents_is_a_node() {
    // 53 entries, one of them twice; 38 and 28 entries have no hardware, 1 and 2 of these models.
    for (data, nodes, blank) in [(live(), 52, 36), (batch_byoc(), 40, 26)] {
        let ads = advertised(&data);
        assert_eq!((ads.nodes.len(), ads.blank_addresses), (nodes, 0));
        let is_blank = |ad: &&Advertisement| ad.content.offers == [offer("", "", &[])];
        assert_eq!(ads.nodes.iter().filter(is_blank).count(), blank);
    }
}

#[test]
fn a_shared_hot_wallet_is_an_alias_of_both_nodes() {
    // V92.
    let ads = advertised(&live());
    let alias = "0x52cf2968b3dc6016778742d3539449a6597d5954";
    let nodes = ads.nodes.iter().filter(|ad| ad.routing_keys().contains(alias));
    let canonical: BTreeSet<&str> = nodes.map(|ad| &ad.node.canonical[..8]).collect();
    assert_eq!(canonical.into_iter().collect::<Vec<_>>(), ["0x5263e0", "0xd00354"]);
}

#[test]
fn entries_of_one_node_are_united_and_blank_addresses_counted() {
    let data = r#"[
        {"address":"0x1","local_address":"0xB","orch_uri":"HTTPS://a/","hardware":[
            {"pipeline":"llm","model_id":" m ","gpu_info":[{"id":"g2"},{"id":" "},{"id":"g1"}]},
            {"pipeline":"llm","model_id":"m","gpu_info":[{"id":"g1"},{"id":"g3"}]}]},
        {"address":"0X1","local_address":"0x1","uri":"https://a","capabilities":{"constraints":
            {"PerCapability":{"33":{"models":{"n":{}}}}}}},
        {"address":"0x1","local_address":"0xc","orch_uri":"https://a"},
        {"address":"0x","orch_uri":"https://b"},
        {"address":"0x2"}]"#;
    let ads = advertised(data);
    assert_eq!(ads.blank_addresses, 1);
    let [first, second] = <[_; 2]>::try_from(ads.nodes).unwrap();
    let node = Node { canonical: "0x1".to_owned(), url: "https://a".to_owned() };
    assert_eq!(first.node, node);
    let want = [offer("llm", "m", &["g1", "g2", "g3"]), offer("llm", "n", &[])];
    assert_eq!(first.content.offers, want);
    assert!(want[0].hardware_present() && !want[1].hardware_present());
    assert_eq!(first.content.aliases, ["0xb", "0xc"]);
    let keys: Vec<_> = first.routing_keys().into_iter().collect();
    assert_eq!(keys, ["0x1", "0xb", "0xc", "https://a"]);
    assert_eq!(second.routing_keys().into_iter().collect::<Vec<_>>(), ["0x2"]);
    assert_eq!(second.content.offers, [offer("", "", &[])]);
}

#[test]
fn an_element_without_gpu_ids_has_no_hardware() {
    let data = r#"{"address":"0x1","hardware":[{"pipeline":"llm","model_id":"m"},
        {"pipeline":"upscale","model_id":"u","gpu_info":{"0":{"name":"n"}}}]}"#;
    let ads = advertised(data);
    assert!(ads.nodes[0].content.offers.iter().all(|offer| !offer.hardware_present()));
}

#[test]
fn offers_compare_ignoring_case() {
    let content = |offers: &[Offer]| Content { offers: offers.to_vec(), aliases: vec![] };
    let lower = content(&[offer("llm", "m", &["gpu-1"])]);
    let upper = content(&[offer("LLM", "M", &["GPU-1"])]);
    assert!(lower.same_offers(&upper) && lower != upper);
    assert!(!lower.same_offers(&content(&[offer("llm", "m", &[])])));
    let alias = Content { aliases: vec!["0xb".to_owned()], ..lower.clone() };
    assert!(lower.same_offers(&alias) && lower != alias);
}

#[test]
fn union_is_a_set_union() {
    let content = |offers: &[Offer]| Content { offers: offers.to_vec(), aliases: vec![] };
    let blank = content(&[offer("", "", &[])]);
    let one = content(&[offer("llm", "m", &["a"])]);
    let two = content(&[offer("llm", "m", &["b"]), offer("llm", "n", &[])]);
    assert_eq!(one.union(&two), content(&[offer("llm", "m", &["a", "b"]), offer("llm", "n", &[])]));
    assert_eq!(one.union(&two), two.union(&one));
    assert_eq!(one.union(&one), one);
    assert_eq!(blank.union(&one), one);
    assert_eq!(blank.union(&blank), blank);
}

#[test]
fn an_advertisement_survives_messagepack() {
    for ad in advertised(&batch_byoc()).nodes {
        let bytes = rmp_serde::to_vec(&ad).unwrap();
        assert_eq!(rmp_serde::from_slice::<Advertisement>(&bytes).unwrap(), ad);
    }
}

//! The advisor dies in the middle of something, without a word, and another one goes on.

use headroom_cluster::Note;
use headroom_load_tests::advisor::Advisor;
use headroom_load_tests::page::get;
use headroom_load_tests::scaling::config;
use serde_json::json;

use crate::rig::Rig;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_leads_next_ends_what_was_begun() {
    let rig = Rig::start().await;
    // A runtime that is shut down drops its tasks where they stand: nothing is given back, no connection is closed in order.
    let first = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let place = rig.site.place().unwrap();
    let advisor = first.spawn(Advisor::start(place, config())).await.unwrap().unwrap();
    rig.marked().await;
    first.shutdown_background();
    std::mem::forget(advisor);
    assert_eq!((rig.held().await.len(), rig.site.desired()), (1, 4), "it died in the middle");

    let second = Advisor::start(rig.site.place().unwrap(), config()).await.unwrap();
    rig.shrunk().await;
    second.stop().await.unwrap();
    rig.site.shutdown().await;
}

/// As the last leader left it: one launch was asked for, of another it had only noted that it would be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_leads_next_follows_what_was_launched() {
    let rig = Rig::start().await;
    let now = rig.site.lab.clock().now();
    rig.site.lab.vpc().set_desired("eks-workers", 5, false, now).unwrap();
    let launch = |from: u32, to: u32| json!({"at_ms": now.as_millis(), "group": "eks-workers", "from": from, "to": to});
    let journal = json!({"entries": [], "launches": [launch(4, 5), launch(5, 6)]}).to_string();
    let client = rig.site.client.clone();
    let (namespace, name) = ("kube-system".to_owned(), "headroom-advisor".to_owned());
    let note = Note { namespace, name, key: "journal.json" };
    note.write(&client, &journal).await.unwrap();

    let mut config = config();
    config.scaling.scale_in.enabled = false;
    let advisor = Advisor::start(rig.site.place().unwrap(), config).await.unwrap();
    let address = advisor.admin_addr().to_string();
    rig.until("the one has arrived and the other is not waited for", async || {
        let metrics = get(&*address, "/metrics").await.map_err(|error| error.to_string())?;
        let ended = |outcome: &str| {
            let series = format!("headroom_advisor_actions_total{{action=\"scale_out\",outcome=\"{outcome}\"}} 1");
            metrics.lines().any(|line| line == series)
        };
        let outcomes = ["arrived", "group_changed"].map(ended);
        let journal = note.read(&client).await.unwrap().unwrap();
        let done = outcomes == [true; 2] && !journal.contains("launches");
        if done { Ok(()) } else { Err(format!("arrived, not asked for: {outcomes:?}; {journal}")) }
    })
    .await;
    advisor.stop().await.unwrap();
    rig.site.shutdown().await;
}

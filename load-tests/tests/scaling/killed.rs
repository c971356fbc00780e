//! The advisor dies in the middle of a scale-in, without a word, and another one goes on.

use headroom_load_tests::advisor::Advisor;
use headroom_load_tests::scaling::config;

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

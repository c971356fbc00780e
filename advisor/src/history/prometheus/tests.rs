use std::convert::Infallible;

use super::*;

const NOW: u64 = 1_800_000_123;

fn decode(body: &str) -> Result<Vec<Points>, PrometheusError<Infallible>> {
    let [source, ..] = Source::held_ips();
    source.requests(NOW)[0].decode(body.as_bytes())
}

#[test]
fn it_asks_for_the_largest_of_each_step() {
    let [source, ..] = Source::held_ips();
    let requests = source.requests(NOW);
    let query = "max_over_time%28%28max+by+%28subnet%29+%28sum+by+%28subnet%2C+instance%29+%28\
                 headroom_advisor_subnet_held_ips%29%29%29%5B300s%3A60s%5D%29";
    let Window { from_secs, to_secs, .. } = requests[0].window;
    assert_eq!(
        requests[0].path(),
        format!("api/v1/query_range?query={query}&start={}&end={to_secs}&step=300", from_secs + 300)
    );
    assert!(requests.last().is_some_and(|last| last.path().contains("%5B3600s%3A300s%5D%29&")));
    assert!(requests.len() < 20, "{}", requests.len());
    let [_, pods, _] = Source::held_ips();
    assert!(pods.query.contains("subnet_held_ips{owner=~\"pod|cooling\"}"), "{}", pods.query);
}

#[test]
fn points_are_those_of_the_steps_that_end_there() {
    let body = r#"{"status":"success","data":{"resultType":"matrix","result":[
        {"metric":{"subnet":"subnet-1"},"values":[[1435781400,"7"],[1435781700.0,"NaN"],[1435782000,"8.5"],[-1,"1"]]},
        {"metric":{"subnet":"subnet-2","x":"y"},"values":[[100,"1"],[1e300,"1"],[1435781400,"+Inf"]]}]},
        "warnings":["slow"]}"#;
    let subnet = |id| SeriesKey::new(Kind::SubnetUsedIps, id);
    let expected =
        vec![(subnet("subnet-1"), vec![(1_435_781_100, 7.0), (1_435_781_700, 8.5)]), (subnet("subnet-2"), vec![])];
    assert_eq!(decode(body).unwrap(), expected);
    assert_eq!(decode(r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#).unwrap(), []);
}

#[test]
fn what_is_wrong_is_said() {
    let refused = decode(r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#).unwrap_err();
    assert_eq!(refused.to_string(), "Prometheus refuses the query (bad_data): parse error");
    let series = r#"{"status":"success","data":{"result":[{"metric":{"az":"a"},"values":[]}]}}"#;
    assert!(decode(series).unwrap_err().to_string().contains("by (subnet)"));
    for body in
        ["", "<html>", "{}", r#"{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"2"]}]}}"#]
    {
        assert!(matches!(decode(body), Err(PrometheusError::Malformed(_))), "{body}");
    }
}

#[tokio::test]
async fn it_is_fetched_with_what_it_is_given() {
    let [source, ..] = Source::held_ips();
    let request = source.requests(NOW)[0];
    let answer = async |path: String| {
        assert_eq!(path, request.path());
        Ok::<_, Infallible>(br#"{"status":"success","data":{"result":[]}}"#.to_vec())
    };
    assert_eq!(request.fetch(answer).await.unwrap(), []);
    let failed = request.fetch(async |_| Err(std::io::Error::other("down"))).await;
    assert!(matches!(failed, Err(PrometheusError::Get(_))));
}

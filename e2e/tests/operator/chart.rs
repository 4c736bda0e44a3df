//! The chart, as it is installed.

use crate::{
    Place,
    support::lab::{OPERATOR, cluster, output_of},
};

#[tokio::test]
async fn helm_s_own_test_says_that_the_operator_is_ready() {
    let _place = Place::beside_others("chart").await;
    let said = tokio::task::spawn_blocking(|| {
        let args = ["test", OPERATOR, "--namespace", OPERATOR, "--timeout=3m"];
        output_of(cluster().helm().args(args))
    });
    let said = said.await.unwrap().unwrap();
    assert!(said.contains("Phase:          Succeeded"), "{said}");
}

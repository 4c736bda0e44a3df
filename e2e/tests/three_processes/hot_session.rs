//! One session that everybody appends to, through all processes at once.

use sessionstore_e2e::{all_at_once, processes::Processes, sample::event};

/// Connections to each of the three processes.
const CONNECTIONS: usize = 64;

const APPENDS: usize = 5;

#[tokio::test]
async fn a_hot_session_loses_nothing_and_keeps_the_order_of_each_connection() {
    let processes = Processes::three().await;
    let session = processes.process(0).new_session().await;

    let acknowledged = all_at_once(3 * CONNECTIONS, async |writer| {
        let session = processes.process(writer).session(&session.id);
        let mut events = Vec::new();
        let mut last = 0;
        for n in 0..APPENDS {
            let body = event(&format!("{writer}-{n}"));
            let reply = session.append(&body).await.expect(201);
            let seq = reply.number_at("/event/seq");
            assert!(seq > last, "{seq} after {last}");
            last = seq;
            events.push(reply.at("/event"));
        }
        events
    })
    .await
    .concat();

    for process in 0..3 {
        let log = processes.process(process).session(&session.id).log().await;
        assert_eq!(log.len(), 3 * CONNECTIONS * APPENDS);
        for event in &acknowledged {
            let seq = usize::try_from(event["seq"].as_u64().unwrap()).unwrap();
            assert_eq!(&log[seq - 1], event);
        }
    }
}

#[tokio::test]
async fn batches_of_three_processes_keep_their_order_in_one_session() {
    let processes = Processes::three().await;
    let session = processes.process(0).new_session().await;

    let batches = all_at_once(12, async |writer| {
        let session = processes.process(writer).session(&session.id);
        let ids: Vec<String> = (0..50).map(|n| format!("{writer}-{n}")).collect();
        let events: Vec<_> = ids.iter().map(|id| event(id)).collect();
        let reply = session.append_batch(&events).await.expect(200);
        let results = reply.list("/results");
        assert!(results.iter().all(|result| result["status"] == 201));
        let seqs = results.iter().map(|result| result["event"]["seq"].as_u64());
        seqs.map(Option::unwrap).collect::<Vec<_>>()
    })
    .await;

    for seqs in &batches {
        assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
    }
    let log = processes.process(1).session(&session.id).log().await;
    assert_eq!(log.len(), 600);
}

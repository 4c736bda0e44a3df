//! Every row reads back as it was written.

use proptest::prelude::*;

use crate::domain::{
    ClosingStatus, CreationId, Document, Event, EventId, EventType, Language, Seq, SessionId,
    Terminal, Timestamp, Version,
};
use crate::store::embedded::codec::*;
use crate::store::embedded::keys::SessionNumber;

prop_compose! {
    fn times()(millis in 0..=253_402_300_799_999_i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }
}

fn seqs() -> impl Strategy<Value = Seq> {
    (1..=i64::MAX.unsigned_abs()).prop_filter_map("a seq", Seq::new)
}

fn documents() -> impl Strategy<Value = Document> {
    ".*".prop_map(|text| {
        let text = serde_json::json!({ "text": text }).to_string();
        Document::from_stored(&text)
    })
}

fn terminals() -> impl Strategy<Value = Terminal> {
    let statuses = prop_oneof![Just(ClosingStatus::Completed), Just(ClosingStatus::Failed)];
    (seqs(), statuses, times(), proptest::option::of(".*")).prop_map(|(seq, status, at, reason)| {
        Terminal {
            seq,
            status,
            at,
            reason: reason.map(Into::into),
        }
    })
}

prop_compose! {
    fn events()(
        seq in seqs(),
        event_id in "\\PC{1,80}",
        kind in 0..3_usize,
        payload in documents(),
        timestamp in times(),
        recorded_at in times(),
    ) -> Event {
        Event {
            session_id: SessionId::from_stored("s"),
            seq,
            event_id: EventId::from_stored(&event_id),
            kind: EventType::ALL[kind],
            payload,
            timestamp,
            recorded_at,
        }
    }
}

prop_compose! {
    fn headers()(
        number in 0..1_u64 << 48,
        closed in proptest::option::of((terminals(), any::<bool>())),
        creation_id in any::<[u8; 12]>(),
        moments in [times(), times(), times()],
        version in any::<u64>(),
        language in "[a-zA-Z-]{0,35}",
        metadata in documents(),
    ) -> Header {
        Header {
            number: SessionNumber(number),
            closed: closed.map(|(terminal, in_order)| Closed { terminal, in_order }),
            creation_id: CreationId(creation_id),
            started_at: moments[0],
            created_at: moments[1],
            updated_at: moments[2],
            version: Version(version),
            language: Language::from_stored(&language),
            metadata,
        }
    }
}

proptest! {
    #[test]
    fn an_event_reads_back_as_it_was(written in events(), in_order in any::<bool>()) {
        let row = event(&written, in_order);
        let Ok(LogRow::Event(read)) = log_row(&row) else {
            panic!("no event: {row:?}");
        };
        prop_assert_eq!(read.payload_len(), written.payload.len());
        prop_assert_eq!(read.in_order, in_order);
        prop_assert_eq!(read.to_event(&written.session_id, written.seq), Ok(written));
    }

    #[test]
    fn a_terminal_record_reads_back_as_it_was(written in terminals()) {
        let row = terminal(&written);
        let reason = written.reason.as_deref();
        prop_assert_eq!(
            log_row(&row),
            Ok(LogRow::Terminal(written.status, written.at, reason))
        );
    }

    #[test]
    fn a_session_reads_back_as_it_was(written in headers()) {
        let row = header(&written);
        let standing_of = match written.closed.clone() {
            None => Standing::Open(written.number),
            Some(closed) => Standing::Closed(written.number, closed),
        };
        prop_assert_eq!(standing(&row), Ok(standing_of));
        prop_assert_eq!(session_row(&row), Ok(SessionRow::Live(written)));
    }

    #[test]
    fn a_listed_session_reads_back_as_it_was(id in "\\PC{1,80}", language in "[a-z-]{0,35}") {
        let id = SessionId::from_stored(&id);
        let row = listed(&id, &language);
        prop_assert_eq!(listed_row(&row), Ok((&*language, id)));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(row in prop::collection::vec(0..4_u8, 0..60)) {
        let _ = log_row(&row).map(|row| match row {
            LogRow::Event(event) => event.to_event(&SessionId::from_stored("s"), Seq::FIRST),
            _ => Err(Garbled),
        });
        let _ = standing(&row);
        let _ = session_row(&row);
        let _ = listed_row(&row);
        let _ = seq_row(&row);
    }
}

#[test]
fn the_last_session_number_reads_back_as_it_was() {
    let number = SessionNumber((1 << 48) - 1);
    assert_eq!(last_number_row(&last_number(number)), Ok(number));
}

#[test]
fn what_is_left_of_the_erased_reads_back_as_it_was() {
    for purged in [false, true] {
        let written = Tombstone {
            number: SessionNumber(1 << 47),
            at: Timestamp::from_millis(1_700_000_000_000),
            purged,
        };
        let row = tombstone(written);
        assert_eq!(standing(&row), Ok(Standing::Erased));
        assert_eq!(session_row(&row), Ok(SessionRow::Tombstone(written)));
    }
    assert_eq!(log_row(&stub()), Ok(LogRow::Stub));
}

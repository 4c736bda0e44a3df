//! Whose turn it is, and where a conversation stands. Pure.

/// Whose turn it is: the place of a request among those of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    /// The number of the connection that sends it.
    pub(crate) connection: u64,
    /// How many connections there are.
    pub(crate) connections: u64,
    /// The number of the request among those of its connection.
    pub(crate) step: u64,
}

/// Requests of one conversation in the workload `mixed`: 1 create, 5 times 8 appends and a read, 1
/// complete.
const LIFE: u64 = 1 + 5 * TALK + 1;
const TALK: u64 = 8 + 1;

/// A request of a conversation.
pub(super) enum Step {
    Create,
    /// The turn of the conversation.
    Append(u64),
    Read,
    Complete,
}

impl Turn {
    /// The only connection's request of this number.
    pub(crate) fn nth(step: u64) -> Self {
        Self {
            connection: 0,
            connections: 1,
            step,
        }
    }

    /// Its number among all requests, with connections taking turns.
    pub(crate) fn number(self) -> u64 {
        self.step * self.connections + self.connection
    }

    /// The number of the conversation among those of its connection.
    pub(super) fn life(self) -> u64 {
        self.step / LIFE
    }

    /// The place of the request in its conversation.
    pub(super) fn step_of_life(self) -> Step {
        let step = self.step % LIFE;
        if step == 0 {
            Step::Create
        } else if step == LIFE - 1 {
            Step::Complete
        } else {
            let (talk, within) = ((step - 1) / TALK, (step - 1) % TALK);
            if within == TALK - 1 {
                Step::Read
            } else {
                Step::Append(talk * (TALK - 1) + within)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn connections_that_take_turns_never_send_the_same_request() {
        let numbers: HashSet<u64> = (0..10)
            .flat_map(|step| (0..16).map(move |connection| (connection, step)))
            .map(|(connection, step)| Turn {
                connection,
                connections: 16,
                step,
            })
            .map(Turn::number)
            .collect();
        assert_eq!(numbers, (0..160).collect());
    }
}

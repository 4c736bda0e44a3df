//! The world in a few lines, for whoever reads a history that broke a promise.

use std::fmt;

use crate::event::ORDINALS;
use crate::world::World;

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            members,
            replicas,
            revision,
            secrets,
            key,
            known_set,
            ..
        } = self;
        writeln!(
            f,
            "{members} wanted, {replicas} replicas, revision {revision}, secrets {secrets}, key {key}, \
             known {known_set:?}, acknowledged {:?}",
            self.acknowledged
        )?;
        for at in 0..ORDINALS {
            writeln!(f, "m-{at}: {:?} {:?}", self.state(at), self.nodes[at])?;
            writeln!(f, "  {:?}", self.pods[at])?;
            if let Some(process) = &self.processes[at] {
                let hears = (0..ORDINALS).filter(|it| process.heard[*it].is_some());
                let hears: Vec<usize> = hears.collect();
                writeln!(
                    f,
                    "  {:?}, commit {}, hears {hears:?}, patience {}",
                    process.role, process.commit, process.patience
                )?;
            }
            if let Some(volume) = &self.volumes[at] {
                let disk = &volume.disk;
                writeln!(
                    f,
                    "  volume {}, term {}, {} entries to {:?}, {:?}",
                    volume.uid,
                    disk.term,
                    disk.log.len(),
                    disk.log.last(),
                    disk.config
                )?;
            }
        }
        Ok(())
    }
}

//! What Kubernetes does: pods, volumes, nodes, budgets.

use crate::event::ORDINALS;
use crate::server::{Disk, Process, Role};
use crate::violation::Violation;
use crate::world::{Node, Pod, Volume, World};

impl World {
    /// One step of whatever controller has to do with this pod.
    pub(crate) fn kubelet(&mut self, at: usize, dns_late: bool) -> Result<(), Violation> {
        let is_surplus = at >= self.replicas;
        let Some(pod) = &mut self.pods[at] else {
            self.make_or_clean_up(at, is_surplus);
            return Ok(());
        };
        if is_surplus && !pod.leaving {
            pod.leaving = true;
            if let Some(volume) = &mut self.volumes[at] {
                volume.leaving |= self.deletes_scaled;
            }
            return Ok(());
        }
        if self.nodes[at].off {
            return Ok(());
        }
        if pod.leaving {
            self.terminate(at)?;
        } else if !self.broken.contains(&pod.revision) {
            self.go_on(at, dns_late);
        }
        Ok(())
    }

    fn make_or_clean_up(&mut self, at: usize, is_surplus: bool) {
        let is_leaving = self.volumes[at].as_ref().is_some_and(|it| it.leaving);
        if is_leaving {
            self.volumes[at] = None;
        }
        if is_surplus || self.nodes[at].cordoned {
            return;
        }
        if self.volumes[at].is_none() {
            self.volumes[at] = Some(Volume {
                uid: self.number(),
                disk: Disk::default(),
                leaving: false,
            });
        }
        self.pods[at] = Some(Pod {
            uid: self.number(),
            revision: self.revision,
            key: self.key,
            leaving: false,
        });
        self.gates[at] = false;
    }

    /// SIGTERM: a primary hands over if it can.
    fn terminate(&mut self, at: usize) -> Result<(), Violation> {
        self.hand_over(at)?;
        self.processes[at] = None;
        self.pods[at] = None;
        Ok(())
    }

    fn go_on(&mut self, at: usize, dns_late: bool) {
        let has_config = self.disk(at).is_some_and(|it| it.config.is_some());
        match &mut self.processes[at] {
            None => {
                let role = if dns_late && has_config {
                    Role::Lost
                } else {
                    Role::Reading
                };
                self.processes[at] = Some(Process::new(role, ORDINALS));
            }
            Some(process) if process.role == Role::Reading => process.role = Role::Follower,
            Some(_) => {}
        }
    }

    /// Somebody sets the count of pods. Where volumes go with their pods, only to more: that the data
    /// goes otherwise is what they have asked for.
    pub(crate) fn scale(&mut self, pods: usize) {
        self.replicas = if self.deletes_scaled {
            self.replicas.max(pods)
        } else {
            pods
        };
    }

    /// A pod whose deletion the budget permits goes; not one that would take with it what is needed,
    /// which nobody could help.
    pub(crate) fn evict(&mut self, at: usize) {
        if self.is_doomed(at) {
            return;
        }
        // Of all that there are; how many there are to be is another matter.
        let well = (0..ORDINALS).filter(|it| self.is_ready(*it)).count();
        let left = well - usize::from(self.is_ready(at));
        if let Some(pod) = &mut self.pods[at]
            && left + 1 >= self.replicas
        {
            pod.leaving = true;
        }
    }

    fn is_ready(&self, at: usize) -> bool {
        let pod = self.pods[at].as_ref();
        pod.is_some_and(|it| !it.leaving) && self.processes[at].is_some() && self.gates[at]
    }

    pub(crate) fn power_on(&mut self, at: usize) {
        self.nodes[at].off = false;
        self.nodes[at].lost = false;
    }

    /// A node is gone for good, with its pod and volume; another one takes its place.
    pub(crate) fn replace_node(&mut self, at: usize) {
        self.processes[at] = None;
        self.pods[at] = None;
        self.volumes[at] = None;
        self.nodes[at] = Node::default();
    }

    /// Deletes the `SessionStore` and creates it again, with new Secrets, on the volumes that stay.
    /// Nobody does that while a claim is deleted whose data is needed.
    pub(crate) fn recreate(&mut self) {
        if (0..ORDINALS).any(|it| self.is_doomed(it)) {
            return;
        }
        self.delete_pods();
        self.replicas = self.members;
        self.known_set = None;
        self.permits.clear();
        self.secrets += 1;
        self.decided = vec![None, None];
        self.last = None;
    }

    pub(crate) fn delete_pods(&mut self) {
        for pod in self.pods.iter_mut().flatten() {
            pod.leaving = true;
        }
    }

    /// Whether a pod has the key that is in the Secret.
    pub(crate) fn has_key(&self, at: usize) -> bool {
        self.pods[at].as_ref().is_some_and(|it| it.key == self.key)
    }

    pub(crate) fn have_one_key(&self, one: usize, other: usize) -> bool {
        let key = |at: usize| self.pods[at].as_ref().map(|it| it.key);
        key(one) == key(other)
    }

    pub(crate) fn disk(&self, at: usize) -> Option<&Disk> {
        self.volumes[at].as_ref().map(|it| &it.disk)
    }

    pub(crate) fn disk_mut(&mut self, at: usize) -> Option<&mut Disk> {
        self.volumes[at].as_mut().map(|it| &mut it.disk)
    }
}

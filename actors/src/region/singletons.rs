//! What runs once in a cluster: beside shard 0, wherever that is open.

use ractor::{ActorProcessingErr, ActorRef};

use super::{RegionArgs, RegionMsg};
use crate::probe::{self, ProbeArgs, ProbeMsg};
use crate::rollup::{self, RollupArgs, RollupMsg};

/// The actors that follow shard 0.
#[derive(Debug, Default)]
pub(super) struct Singletons {
    /// Computes figures.
    rollup: Option<ActorRef<RollupMsg>>,
    /// Checks stored data.
    probe: Option<ActorRef<ProbeMsg>>,
}

impl Singletons {
    /// The actor that computes figures, if it is here.
    pub(super) fn rollup(&self) -> Option<&ActorRef<RollupMsg>> {
        self.rollup.as_ref()
    }

    /// Starts or stops them with shard 0, which is open here in `epoch`, or not at all.
    pub(super) async fn follow(
        &mut self,
        epoch: Option<u64>,
        args: &RegionArgs,
        region: &ActorRef<RegionMsg>,
    ) -> Result<(), ActorProcessingErr> {
        let Some(epoch) = epoch else {
            self.stop();
            return Ok(());
        };
        if let (None, Some(rollups)) = (&self.rollup, &args.rollups) {
            let (rollups, region, clock) = (rollups.clone(), region.clone(), args.clock.clone());
            let rollup = RollupArgs { rollups, epoch, region: region.clone(), clock };
            self.rollup = Some(rollup::spawn(rollup, region.get_cell()).await?);
        }
        if let (None, Some(probe)) = (&self.probe, &args.probe) {
            let probe = ProbeArgs { probe: probe.clone(), clock: args.clock.clone() };
            self.probe = Some(probe::spawn(probe, region.get_cell()).await?);
        }
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(rollup) = self.rollup.take() {
            rollup.stop(None);
        }
        if let Some(probe) = self.probe.take() {
            probe.stop(None);
        }
    }

    /// What a second brings. One that has stopped tells its supervisor by itself.
    pub(super) fn tick(&self) {
        if let Some(rollup) = &self.rollup {
            drop(rollup.cast(RollupMsg::Tick));
        }
        if let Some(probe) = &self.probe {
            drop(probe.cast(ProbeMsg::Tick));
        }
    }
}

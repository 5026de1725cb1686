//! The calls with one request and one response.

use super::call::Call;
use super::status::Status;
use crate::checkpoint::Checkpointer;
use crate::service::Service;
use crate::table::{self, ItemKey};
use crate::wire;

/// How many milliseconds, or messages and such, an `i64` of the wire can say.
fn count(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A client asks whether it may read the tables from the memory of this process. It may not.
pub(super) async fn initialize_connection(call: &mut Call) -> Result<(), Status> {
    if call.next().await?.is_none() {
        return Ok(());
    }
    call.send_when_ready(&wire::InitializeConnectionResponse { address: 0 }).await
}

pub(super) async fn server_info(call: &mut Call, service: &Service) -> Result<(), Status> {
    call.next().await?;
    let (high, low) = service.state_id();
    let table_info = service.info().into_iter().map(table_info).collect();
    let tables_state_id = Some(wire::Uint128 { high, low });
    call.send_when_ready(&wire::ServerInfoResponse { tables_state_id, table_info }).await
}

fn table_info(info: table::TableInfo) -> wire::TableInfo {
    let limiter = info.spec.limiter;
    let stats = |completed| Some(wire::RateLimiterCallStats { completed });
    wire::TableInfo {
        sampler_options: Some(info.spec.sampler.into()),
        remover_options: Some(info.spec.remover.into()),
        max_size: count(info.spec.max_size),
        max_times_sampled: info.spec.max_times_sampled.map_or(0, Into::into),
        rate_limiter_info: Some(wire::RateLimiterInfo {
            samples_per_insert: limiter.samples_per_insert,
            min_diff: limiter.min_diff,
            max_diff: limiter.max_diff,
            min_size_to_sample: limiter.min_size_to_sample,
            insert_stats: stats(info.counts.inserts),
            sample_stats: stats(info.counts.samples),
        }),
        signature: info.spec.signature,
        current_size: count(info.size),
        name: info.spec.name,
        num_episodes: count(info.num_episodes),
        num_deleted_episodes: info.num_deleted_episodes,
        num_unique_samples: info.num_unique_samples,
        table_worker_time: Some(wire::TableWorkerTime {}),
    }
}

pub(super) async fn mutate(call: &mut Call, service: &Service) -> Result<(), Status> {
    let request: wire::MutatePrioritiesRequest = call.only().await?;
    let updates: Vec<_> = request.updates.iter().map(|update| (ItemKey(update.key), update.priority)).collect();
    let deletes: Vec<_> = request.delete_keys.into_iter().map(ItemKey).collect();
    service.mutate(&request.table, &updates, &deletes)?;
    call.send_when_ready(&()).await
}

pub(super) async fn reset(call: &mut Call, service: &Service) -> Result<(), Status> {
    let request: wire::ResetRequest = call.only().await?;
    service.reset(&request.table)?;
    call.send_when_ready(&()).await
}

pub(super) async fn checkpoint(call: &mut Call, checkpointer: Option<&Checkpointer>) -> Result<(), Status> {
    call.next().await?;
    let checkpointer =
        checkpointer.ok_or_else(|| Status::invalid("no Checkpointer configured for the replay service."))?;
    let path = checkpointer.write().await.map_err(|error| Status::internal(error.to_string()))?;
    let checkpoint_path = path.to_string_lossy().into_owned();
    call.send_when_ready(&wire::CheckpointResponse { checkpoint_path }).await
}

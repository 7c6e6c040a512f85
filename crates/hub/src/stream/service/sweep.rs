//! What a service does now and then: it notes which streams are used, and deletes those that nobody uses.

use super::{Service, Stream};
use crate::stream::storage::StreamStorage;
use postern_env::{task, time};
use postern_node::identity::Timestamp;

impl<S: StreamStorage> Service<S> {
    /// Notes which streams were used, and deletes those that nobody has used for so long that their records have expired.
    pub(super) async fn sweep(&mut self) {
        self.limiter.forget_idle(time::since(self.started));
        let expired = Timestamp::now().0.saturating_sub(self.options.quotas.expiry.as_secs());
        let used = self.streams.iter().map(|(name, stream)| (name.clone(), Timestamp(stream.used.get()))).collect();
        if self.database.set_used(S::SERVICE, used).await.is_err() {
            return;
        }
        let is_unused = |(name, stream): &(&String, &Stream)| {
            stream.used.get() < expired && !self.creating.contains_key(name.as_str())
        };
        let unused: Vec<String> = self.streams.iter().filter(is_unused).map(|(name, _)| name.clone()).collect();
        for name in unused {
            // Its partitions end with this.
            self.streams.remove(&name);
            let (deletion, database) = (self.options.storage.delete(name.clone()), self.database.clone());
            task::spawn(async move {
                let deleted = async {
                    deletion.await?;
                    database.delete_stream(S::SERVICE, name).await
                };
                if let Err(error) = deleted.await {
                    tracing::warn!(%error, "a stream that nobody uses could not be deleted; the next start tries again");
                }
            });
        }
    }
}

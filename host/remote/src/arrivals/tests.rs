//! Hosts that come to a launcher, and strangers.

use std::sync::mpsc;

use super::*;

struct Launcher {
    address: String,
    fingerprint: Fingerprint,
    places: BTreeMap<String, Arrival>,
    refused: mpsc::Receiver<String>,
    _receiving: lp_base::scheduler::Task<()>,
}

/// A launcher that waits for `a` and `b` with that key.
async fn launcher(hosts: &Key, scheduler: &Scheduler) -> Launcher {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, key) = (listener.local_addr().unwrap().to_string(), Key::random().unwrap());
    let (fingerprint, hosts, own) = (key.fingerprint(), hosts.fingerprint(), scheduler.clone());
    let places: BTreeMap<_, _> = ["a", "b"].map(|name| (name.to_owned(), Arrival::default())).into();
    let (tell, refused) = mpsc::channel();
    let waited = places.clone();
    let receiving = scheduler.spawn(async move {
        let tell = std::sync::Mutex::new(tell);
        let told = move |reason| tell.lock().unwrap().send(reason).unwrap();
        receive(listener, &key, hosts, waited, &own, told).await.unwrap();
    });
    Launcher { address, fingerprint, places, refused, _receiving: receiving }
}

#[tokio::test]
async fn a_host_is_received_at_its_place_and_the_one_that_came_last_counts() {
    let (key, scheduler) = (Key::random().unwrap(), Scheduler::default());
    let launcher = launcher(&key, &scheduler).await;
    let mut came = Vec::new();
    for word in ["old", "new"] {
        let mut stream = come(&launcher.address, launcher.fingerprint, &key, "a", &scheduler).await.unwrap();
        stream.write_all(word.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        came.push(stream);
    }
    let mut word = [0; 3];
    launcher.places["a"].next().await.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"new");
    assert_eq!(came[0].read(&mut word).await.unwrap_or(0), 0, "the first one is told that it is not met");
    assert!(futures::poll!(Box::pin(launcher.places["b"].next())).is_pending());
}

#[tokio::test]
async fn nobody_else_is_received() {
    let (key, scheduler) = (Key::random().unwrap(), Scheduler::default());
    let launcher = launcher(&key, &scheduler).await;
    let refusal = async |fingerprint, key: &Key, name| {
        let come = come(&launcher.address, fingerprint, key, name, &scheduler).await;
        let error = come.map(drop).unwrap_err();
        std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(": ")
    };
    let other = Key::random().unwrap();
    let unknown = refusal(launcher.fingerprint, &key, "c").await;
    assert_eq!(unknown, "the launcher refuses `c`: the program has no `c`");
    assert_eq!(launcher.refused.recv().unwrap(), "127.0.0.1: the program has no `c`");
    let not_it = refusal(other.fingerprint(), &key, "a").await;
    assert!(
        not_it.ends_with(&format!("it has the key {}, not {}", launcher.fingerprint, other.fingerprint())),
        "{not_it}"
    );
    let stranger = refusal(launcher.fingerprint, &other, "a").await;
    assert!(stranger.contains("access denied") || stranger.contains("AccessDenied"), "{stranger}");
    assert!(futures::poll!(Box::pin(launcher.places["a"].next())).is_pending());
}

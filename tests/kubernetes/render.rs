//! What is submitted for a program: a program file in, objects as YAML out. A file in `graphs` each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use lp_host::engine::kubernetes::{Keys, Object, Objects, RenderError, Settings, Submission, render};
use lp_host::lower;
use lp_host::plan::{LaunchType, Plan};
use lp_host::program::Linked;
use lp_host::words::Digest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::config::{check_text, sandbox};

fn graphs() -> BTreeSet<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kubernetes/graphs");
    let entries = fs::read_dir(folder).expect("the folder is part of the tests");
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

fn lowered(text: &str) -> (Plan, BTreeMap<Digest, Vec<u8>>) {
    let dir = sandbox();
    let path = dir.path().join("program.toml");
    fs::write(&path, text).expect("a writable directory");
    let linked = Linked::load(&path, &[]).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    let (plan, files) = lower(&linked, LaunchType::Remote);
    let component = |digest| (digest, fs::read(files.of(digest).expect("it is there")).expect("it is there"));
    let components = plan.nodes.iter().filter_map(|node| node.sha256()).map(component).collect();
    (plan, components)
}

/// The objects of a program, on a cluster that its comments describe.
fn rendered(text: &str) -> Result<Objects, RenderError> {
    let (plan, mut components) = lowered(text);
    let says = |word: &str| text.lines().any(|line| line == format!("# {word}"));
    if says("large") {
        // Three quarters of the room, which base64 fills.
        components.values_mut().for_each(|bytes| *bytes = vec![7; 3 << 18]);
    }
    let settings = Settings {
        namespace: "lab".to_owned(),
        image: "registry.example.org/lab/lp:1".to_owned(),
        pull_secret: says("pull-secret").then(|| "registry".to_owned()),
        queue: says("queue").then(|| "lab-queue".to_owned()),
        job_set: says("job-set"),
        counts_by_index: !says("old"),
    };
    let files = [("plan.json".to_owned(), "{}".to_owned()), ("run.json".to_owned(), "{}".to_owned())].into();
    let keys = Keys::placeholder();
    let id = format!("{}-k3x9", plan.program);
    render(&Submission {
        plan: &plan,
        id: &id,
        settings: &settings,
        files: &files,
        components: &components,
        keys: &keys,
    })
}

#[test]
fn every_program_becomes_its_objects() {
    for file in graphs() {
        let shown = match rendered(&fs::read_to_string(&file).expect("it is part of the tests")) {
            Ok(objects) => {
                objects.all().for_each(check_object);
                check_read_back(&objects);
                objects.to_yaml()
            }
            Err(error) => format!("error: {error}\n"),
        };
        check_text(&shown, &file.with_extension("yaml"));
    }
}

/// Fails if the type of the API has not every field that is said, as the API server does.
fn check_strictly<T: DeserializeOwned + Serialize>(value: &Value) {
    let typed: T = serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"));
    assert_eq!(serde_json::to_value(typed).expect("it is JSON"), *value);
}

fn check_object(object: &Object) {
    let value = &object.value;
    assert_eq!(
        (value["apiVersion"].as_str(), value["kind"].as_str()),
        (Some(&*object.api_version), Some(&*object.kind))
    );
    assert!(object.name.len() <= 63, "{}", object.name);
    match object.kind.as_str() {
        "ConfigMap" => check_strictly::<ConfigMap>(value),
        "Secret" => check_strictly::<Secret>(value),
        "Service" => check_strictly::<Service>(value),
        "NetworkPolicy" => check_strictly::<NetworkPolicy>(value),
        "Job" => check_strictly::<Job>(value),
        "JobSet" => {
            for job in value["spec"]["replicatedJobs"].as_array().expect("it has Jobs") {
                check_strictly::<JobSpec>(&job["template"]["spec"]);
            }
        }
        kind => panic!("{kind} is not of a run"),
    }
}

/// The YAML says what the objects say.
fn check_read_back(objects: &Objects) {
    let text = objects.to_yaml();
    let documents = text.split("---\n").skip(1).map(|document| {
        serde_saphyr::from_str::<Value>(document).unwrap_or_else(|error| panic!("{error}: {document}"))
    });
    assert!(documents.eq(objects.all().map(|object| object.value.clone())), "the YAML says something else");
}

#[test]
fn the_objects_are_no_more_with_many_replicas_than_with_few() {
    let text = |replicas: u32| format!("name = 'a'\n[nodes.b]\ncomponent = 'counter.wasm'\nreplicas = {replicas}\n");
    let [few, many] = [2, 10_000].map(|replicas| rendered(&text(replicas)).expect("it can be rendered"));
    assert_eq!(few.all().count(), many.all().count());
    assert_eq!(few.to_yaml().lines().count(), many.to_yaml().lines().count());
}

#[test]
fn what_owns_all_is_named_once_it_has_an_id() {
    let objects = rendered("name = 'a'\n[nodes.b]\ncomponent = 'counter.wasm'\n").expect("it can be rendered");
    let owned = objects.owned_by("1-2-3");
    assert_eq!(owned.len(), objects.rest.len());
    for object in &owned {
        let owner = &object.value["metadata"]["ownerReferences"][0];
        assert_eq!((&owner["uid"], &owner["name"]), (&json!("1-2-3"), &json!("lp-a-k3x9")));
        check_object(object);
    }
}

#[test]
fn edges_are_all_that_policies_allow() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("kubernetes/graphs/edges.toml"));
    let objects = rendered(&text.expect("it is part of the tests")).expect("it can be rendered");
    let policies: Vec<_> = objects.rest.iter().filter(|object| object.kind == "NetworkPolicy").collect();
    let group = |peer: &Value| peer["podSelector"]["matchLabels"]["lp/group"].as_str().unwrap_or("any").to_owned();
    let mut found = BTreeSet::new();
    for policy in policies {
        let own = policy.value["spec"]["podSelector"]["matchLabels"]["lp/group"].as_str().expect("it has one");
        for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
            for rule in policy.value["spec"][direction].as_array().into_iter().flatten() {
                let ports: Vec<_> =
                    rule["ports"].as_array().into_iter().flatten().map(|port| port["port"].to_string()).collect();
                match rule[peers].as_array() {
                    Some(list) => list.iter().for_each(|peer| {
                        found.insert(format!("{own} {direction} {} {}", group(peer), ports.join(",")));
                    }),
                    None => drop(found.insert(format!("{own} {direction} everywhere {}", ports.join(",")))),
                }
            }
        }
    }
    let expected = [
        "0-learner egress coordinator 7400",
        "0-learner egress everywhere 53,53,5353,5353",
        "0-learner ingress 1-actor null",
        "1-actor egress 0-learner null",
        "1-actor egress coordinator 7400",
        "1-actor egress everywhere 53,53,5353,5353",
        "2-ping egress 2-ping null",
        "2-ping egress coordinator 7400",
        "2-ping egress everywhere 53,53,5353,5353",
        "2-ping ingress 2-ping null",
        "coordinator egress everywhere 53,53,5353,5353",
        "coordinator ingress any 7400",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());
}

#[test]
fn kubectl_reads_what_is_printed() {
    if Command::new("kubectl").args(["kustomize", "--help"]).output().is_err() {
        return eprintln!("skipped: no kubectl");
    }
    let dir = sandbox();
    fs::write(dir.path().join("kustomization.yaml"), "resources: [objects.yaml]\n").expect("a writable directory");
    for graph in graphs() {
        let Ok(objects) = rendered(&fs::read_to_string(&graph).expect("it is part of the tests")) else { continue };
        fs::write(dir.path().join("objects.yaml"), objects.to_yaml()).expect("a writable directory");
        let output = Command::new("kubectl").arg("kustomize").arg(dir.path()).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("it is UTF-8");
        let read = text.split("\n---\n").map(|document| serde_saphyr::from_str(document).expect("it is YAML"));
        let by_name = |values: &mut dyn Iterator<Item = Value>| -> BTreeMap<_, _> {
            values.map(|value| (format!("{} {}", value["kind"], value["metadata"]["name"]), value)).collect()
        };
        assert_eq!(by_name(&mut read.into_iter()), by_name(&mut objects.all().map(|object| object.value.clone())));
    }
}

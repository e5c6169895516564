//! AWS in one process, for running a serverless application on one machine.
//!
//! [`LocalAws`] reads the CloudFormation template of an [`Application`] and starts what it declares: DynamoDB on a
//! file, an SES simulator, SNS, SQS, CloudWatch, schedules, Lambda with every function in processes of its own, and the
//! HTTP API in front. The functions are the ones that are deployed. The endpoint variables of their SDK direct them
//! here. The HTTP API listens on the address that the caller names, and everything else on 127.0.0.1. This crate models
//! AWS. The caller passes in everything that is particular to the application.
//!
//! | module | contents |
//! |---|---|
//! | [`application`] | the application that runs |
//! | [`run`] | the start and the end of a run |
//! | [`template`] | CloudFormation: the resources of the template |
//! | [`services`] | the services, one module each |
//! | [`middleware`] | the one layer around every operation of every service |
//! | [`catalogue`] | the names of all operations |
//! | [`calls`] | the record of calls |
//! | [`consumption`] | the record of what AWS bills |
//! | [`service_metrics`] | the metrics that services publish of themselves |
//! | [`fault`] | injected faults |
//! | [`processes`] | the running processes of functions, which a fault may kill |
//! | [`clock`] | the time, which can be set forward |
//! | `local_api` | `/_local/`: reading and changing the simulated account |
//! | [`feed`], `page` | the event stream, and the page that shows it |
//! | [`data_dir`], `json_lines` | the files of a run |
//! | [`server`] | the HTTP server under every service |

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod application;
pub mod calls;
pub mod catalogue;
pub mod clock;
pub mod consumption;
pub mod data_dir;
pub mod fault;
pub mod feed;
mod json_lines;
mod local_api;
pub mod middleware;
mod page;
pub mod processes;
pub mod run;
pub mod server;
pub mod service_metrics;
pub mod services;
pub mod template;

pub use application::{ACCOUNT_ID, Application, OperatorTopic, REGION};
pub use run::{LocalAws, RunSettings, StartError, reachable};

//! A client for a Weir server.

use crate::{
    Activate, CreateExperiment, Experiment, ExperimentResults, Feedback, FeedbackReply,
    Performance, PredictReply, PredictRequest, Problem, RegisterVersion, StartedExperiment,
    Version,
};
use reqwest::RequestBuilder;
use serde::de::DeserializeOwned;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server refused it.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// The server cannot be reached, or is none.
    #[error("the server does not answer as a weir server: {0}")]
    Transport(#[from] reqwest::Error),
}

/// Calls a server.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    http: reqwest::Client,
}

impl Client {
    /// A client for the server at an address such as `http://127.0.0.1:8000`.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(base: &str) -> Result<Self, ClientError> {
        // Another crate of the process may have installed a provider already: either will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            base: base.trim_end_matches('/').to_owned(),
            http: reqwest::Client::builder().build()?,
        })
    }

    /// `POST /models`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn register(&self, version: &RegisterVersion) -> Result<Version, ClientError> {
        self.send(self.http.post(self.url("/models")).json(version))
            .await
    }

    /// `POST /models/{model_id}/activate`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn activate(&self, id: &str, traffic_percent: f64) -> Result<Version, ClientError> {
        let url = self.url(&format!("/models/{id}/activate"));
        self.send(self.http.post(url).json(&Activate {
            traffic_percent,
            takeover: false,
        }))
        .await
    }

    /// `POST /predict`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn predict(
        &self,
        request: &PredictRequest,
    ) -> Result<PredictReply<'static>, ClientError> {
        self.send(self.http.post(self.url("/predict")).json(request))
            .await
    }

    /// `POST /feedback` with a batch of at most 10,000 values.
    ///
    /// # Errors
    /// When the call fails. Values that are refused one by one are in the reply.
    pub async fn feedback(&self, batch: &[Feedback]) -> Result<FeedbackReply, ClientError> {
        let url = self.url("/feedback?receipts=false");
        self.send(self.http.post(url).json(batch)).await
    }

    /// `POST /experiments` and `POST /experiments/{experiment}/start`.
    ///
    /// # Errors
    /// When a call fails.
    pub async fn start_experiment(
        &self,
        experiment: &CreateExperiment,
    ) -> Result<StartedExperiment, ClientError> {
        let draft = self.http.post(self.url("/experiments")).json(experiment);
        let draft: Experiment = self.send(draft).await?;
        let url = self.url(&format!("/experiments/{}/start", draft.experiment));
        self.send(self.http.post(url)).await
    }

    /// `GET /experiments/{experiment}/results`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn results(&self, experiment: &str) -> Result<ExperimentResults, ClientError> {
        let url = self.url(&format!("/experiments/{experiment}/results"));
        self.send(self.http.get(url)).await
    }

    /// `GET /models/performance`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn performance(&self) -> Result<Performance, ClientError> {
        self.send(self.http.get(self.url("/models/performance")))
            .await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let response = request.send().await?;
        if response.status().is_success() {
            return Ok(response.json().await?);
        }
        Err(ClientError::Refused(Box::new(response.json().await?)))
    }
}

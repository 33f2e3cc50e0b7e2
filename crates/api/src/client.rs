//! A client for a Weir server.

use crate::{
    Activate, Performance, PredictReply, PredictRequest, Problem, RegisterVersion, Version,
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

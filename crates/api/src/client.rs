//! A client for a Weir server.

use crate::{
    Activate, Alias, AuditEntry, AuditPage, Classification, CreateExperiment, CreateKey,
    CreateWebhook, DeclareMetric, EraseUnit, Erasure, EvaluateReply, EvaluateRequest, Experiment,
    ExperimentResults, Feedback, FeedbackReply, Key, LoggedPrediction, Message, Metric,
    ObservedReply, PatchVersion, Performance, PredictReply, PredictRequest, Privacy, Problem,
    RegisterVersion, RequestReceipt, Retention, Retried, RotateKey, Rules, SetAlias, SetAsidePage,
    SetPrivacy, SetRetention, SetRules, SetShadow, SetTraffic, ShadowReport, StartedExperiment,
    Traffic, Version, Webhook, WebhookTest,
};
use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use tokio_util::io::ReaderStream;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server refused it.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// The server cannot be reached, or is not a Weir server. The message includes the underlying cause, so there is no
    /// `source`.
    #[error("the server cannot be asked: {}", innermost(.0))]
    Transport(reqwest::Error),
    /// Among the authorities there is no certificate.
    #[error("there is no certificate (PEM) in the file of the authorities")]
    NoCertificate,
    /// An export says not where it ends.
    #[error(
        "the reply has no header `weir-next-position`: what stands before the server has removed it"
    )]
    NoPosition,
    /// A key or a reason has characters that no header can have.
    #[error("the key or the reason has characters that cannot be sent")]
    Odd,
}

impl From<reqwest::Error> for ClientError {
    fn from(error: reqwest::Error) -> Self {
        Self::Transport(error)
    }
}

/// What is at the bottom of it (a refused connection, a certificate of an unknown authority), and where.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    match error.url() {
        Some(url) if error.is_connect() || error.is_request() => format!("{url}: {cause}"),
        _ => cause.to_string(),
    }
}

/// An artifact that comes.
#[derive(Debug)]
pub struct Download {
    /// The SHA-256 that it has.
    pub sha256: String,
    /// How many bytes it has.
    pub bytes: u64,
    response: reqwest::Response,
}

impl Download {
    /// The next bytes; `None` behind the last.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn next(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, ClientError> {
        Ok(self.response.chunk().await?)
    }
}

/// An export that comes.
#[derive(Debug)]
pub struct Export {
    /// The position after which to go on once it has come whole.
    pub next_position: u64,
    /// What positions belong to.
    pub generation: String,
    response: reqwest::Response,
}

impl Export {
    /// The next bytes; `None` behind the last.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn next(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, ClientError> {
        Ok(self.response.chunk().await?)
    }
}

/// Calls a server.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    http: reqwest::Client,
}

/// What cannot be a header.
fn header(text: &str) -> Result<HeaderValue, ClientError> {
    HeaderValue::from_str(text.trim()).map_err(|_| ClientError::Odd)
}

/// A server on this machine is called directly, whatever the environment says of proxies.
fn builder(base: &str) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder();
    match url::Url::parse(base).is_ok_and(|url| types::leads_here(&url)) {
        true => builder.no_proxy(),
        false => builder,
    }
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
            http: builder(base).build()?,
        })
    }

    /// The same with a key, with a reason for the audit, and with certificates (PEM) of authorities that the server may be
    /// certified by, beside those of the system.
    ///
    /// # Errors
    /// When they cannot be sent, or are not valid.
    pub fn with(
        self,
        key: Option<&str>,
        reason: Option<&str>,
        authorities: Option<&[u8]>,
    ) -> Result<Self, ClientError> {
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let mut value = header(&format!("Bearer {}", key.trim()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        if let Some(reason) = reason {
            let value = HeaderValue::from_bytes(reason.trim().as_bytes());
            headers.insert("x-reason", value.map_err(|_| ClientError::Odd)?);
        }
        let mut builder = builder(&self.base).default_headers(headers);
        if let Some(pem) = authorities {
            let certificates = reqwest::Certificate::from_pem_bundle(pem)?;
            if certificates.is_empty() {
                return Err(ClientError::NoCertificate);
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder.build()?;
        Ok(Self { http, ..self })
    }

    /// `POST /keys`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn create_key(&self, key: &CreateKey) -> Result<Key, ClientError> {
        self.send(self.http.post(self.url("/keys")).json(key)).await
    }

    /// `GET /keys`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn keys(&self) -> Result<Vec<Key>, ClientError> {
        self.send(self.http.get(self.url("/keys"))).await
    }

    /// `POST /keys/{key}/rotate`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn rotate_key(&self, id: &str, overlap: &RotateKey) -> Result<Key, ClientError> {
        let url = self.url(&format!("/keys/{id}/rotate"));
        self.send(self.http.post(url).json(overlap)).await
    }

    /// `DELETE /keys/{key}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn revoke_key(&self, id: &str) -> Result<Message, ClientError> {
        self.send(self.http.delete(self.url(&format!("/keys/{id}"))))
            .await
    }

    /// `GET /privacy/{name}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn privacy(&self, name: &str) -> Result<Privacy, ClientError> {
        self.send(self.http.get(self.below("/privacy", name)?))
            .await
    }

    /// `PUT /privacy/{name}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn set_privacy(
        &self,
        name: &str,
        privacy: &SetPrivacy,
    ) -> Result<Privacy, ClientError> {
        let url = self.below("/privacy", name)?;
        self.send(self.http.put(url).json(privacy)).await
    }

    /// `GET /retention/{name}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn retention(&self, name: &str) -> Result<Retention, ClientError> {
        self.send(self.http.get(self.below("/retention", name)?))
            .await
    }

    /// `PUT /retention/{name}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn set_retention(
        &self,
        name: &str,
        retention: &SetRetention,
    ) -> Result<Retention, ClientError> {
        let url = self.below("/retention", name)?;
        self.send(self.http.put(url).json(retention)).await
    }

    /// `POST /erasures`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn erase_unit(&self, unit: &str) -> Result<Erasure, ClientError> {
        let unit_id = unit.to_owned();
        let asked = self.http.post(self.url("/erasures"));
        self.send(asked.json(&EraseUnit { unit_id })).await
    }

    /// `GET /erasures/{erasure_id}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn erasure(&self, id: &str) -> Result<Erasure, ClientError> {
        self.send(self.http.get(self.below("/erasures", id)?)).await
    }

    /// `GET /erasures`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn erasures(&self) -> Result<Vec<Erasure>, ClientError> {
        self.send(self.http.get(self.url("/erasures"))).await
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

    /// `PUT /models/{model_id}/artifact`: sends a file that has so many bytes and this SHA-256. `on_part` is told how many
    /// bytes went.
    ///
    /// # Errors
    /// When the call fails, or the artifact cannot be used.
    pub async fn put_artifact(
        &self,
        id: &str,
        file: std::fs::File,
        (bytes, sha256): (u64, &str),
        on_part: impl Fn(usize) + Send + Sync + 'static,
    ) -> Result<Version, ClientError> {
        use futures_util::TryStreamExt;
        let url = self.url(&format!("/models/{id}/artifact?sha256={sha256}"));
        let parts = ReaderStream::with_capacity(tokio::fs::File::from_std(file), 1 << 16);
        let parts = parts.inspect_ok(move |part| on_part(part.len()));
        let put = self.http.put(url).header(CONTENT_LENGTH, bytes);
        self.send(put.body(reqwest::Body::wrap_stream(parts))).await
    }

    /// `GET /models/{model_id}/artifact`.
    ///
    /// # Errors
    /// When the call fails, or the version has none.
    pub async fn artifact(&self, id: &str) -> Result<Download, ClientError> {
        let url = self.url(&format!("/models/{id}/artifact"));
        let response = self.http.get(url).send().await?;
        if !response.status().is_success() {
            return Err(ClientError::Refused(Box::new(response.json().await?)));
        }
        let tag = response
            .headers()
            .get(ETAG)
            .and_then(|tag| tag.to_str().ok());
        Ok(Download {
            sha256: tag.unwrap_or_default().trim_matches('"').to_owned(),
            bytes: response.content_length().unwrap_or_default(),
            response,
        })
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

    /// `POST /plan`.
    ///
    /// # Errors
    /// When the call fails, or the log does not tell enough.
    pub async fn plan(
        &self,
        request: &crate::PlanRequest,
    ) -> Result<crate::PlanReply, ClientError> {
        self.send(self.http.post(self.url("/plan")).json(request))
            .await
    }

    /// `POST /plan/units`.
    ///
    /// # Errors
    /// When the call fails, or the log has too few units.
    pub async fn logged_units(
        &self,
        request: &crate::LoggedUnitsRequest,
    ) -> Result<crate::LoggedUnits, ClientError> {
        self.send(self.http.post(self.url("/plan/units")).json(request))
            .await
    }

    /// `POST /feedback` with a batch of at most 10,000 values. A single one has its receipt in the reply, and with it what
    /// is to be warned of.
    ///
    /// # Errors
    /// When the call fails. Values that are refused one by one are in the reply.
    pub async fn feedback(&self, batch: &[Feedback]) -> Result<FeedbackReply, ClientError> {
        let url = self.url(&format!("/feedback?receipts={}", batch.len() == 1));
        self.send(self.http.post(url).json(batch)).await
    }

    /// `GET /journal/set-aside`, after a position.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn set_aside(&self, after: u64) -> Result<SetAsidePage, ClientError> {
        let url = self.url(&format!("/journal/set-aside?limit=1000&after={after}"));
        self.send(self.http.get(url)).await
    }

    /// `POST /journal/retry`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn retry_set_aside(&self) -> Result<Retried, ClientError> {
        self.send(self.http.post(self.url("/journal/retry"))).await
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

    /// `POST /experiments`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn create_experiment(
        &self,
        experiment: &CreateExperiment,
    ) -> Result<Experiment, ClientError> {
        let draft = self.http.post(self.url("/experiments")).json(experiment);
        self.send(draft).await
    }

    /// `POST /experiments/dry-run`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn try_experiment(
        &self,
        experiment: &CreateExperiment,
    ) -> Result<StartedExperiment, ClientError> {
        let asked = self.http.post(self.url("/experiments/dry-run"));
        self.send(asked.json(experiment)).await
    }

    /// `GET /experiments/{experiment}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn experiment(&self, experiment: &str) -> Result<Experiment, ClientError> {
        let url = self.url(&format!("/experiments/{experiment}"));
        self.send(self.http.get(url)).await
    }

    /// `GET /experiments`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn experiments(
        &self,
        filter: &[(&str, &str)],
    ) -> Result<Vec<Experiment>, ClientError> {
        let url = self.url(&with_query("/experiments", filter));
        self.send(self.http.get(url)).await
    }

    /// `POST /experiments/{experiment}/start`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn start(
        &self,
        experiment: &str,
        dry_run: bool,
    ) -> Result<StartedExperiment, ClientError> {
        let url = self.url(&format!(
            "/experiments/{experiment}/start?dry_run={dry_run}"
        ));
        self.send(self.http.post(url)).await
    }

    /// `DELETE /experiments/{experiment}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn delete_experiment(&self, experiment: &str) -> Result<Message, ClientError> {
        let url = self.url(&format!("/experiments/{experiment}"));
        self.send(self.http.delete(url)).await
    }

    /// `POST /experiments/{experiment}/{intervention}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn intervene(
        &self,
        experiment: &str,
        intervention: types::Intervention,
        query: &[(&str, &str)],
    ) -> Result<Experiment, ClientError> {
        let path = format!("/experiments/{experiment}/{intervention}");
        let url = self.url(&with_query(&path, query));
        self.send(self.http.post(url)).await
    }

    /// `GET /audit`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn audit(&self, filter: &[(&str, &str)]) -> Result<AuditPage, ClientError> {
        let url = self.url(&with_query("/audit", filter));
        self.send(self.http.get(url)).await
    }

    /// `GET /traffic/{name}`, at a moment.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn traffic_at(&self, name: &str, at: &str) -> Result<Traffic, ClientError> {
        let mut url = self.below("/traffic", name)?;
        url.query_pairs_mut().append_pair("at", at);
        self.send(self.http.get(url)).await
    }

    /// `GET /traffic/{name}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn traffic(&self, name: &str) -> Result<Traffic, ClientError> {
        let url = self.below("/traffic", name)?;
        self.send(self.http.get(url)).await
    }

    /// `PUT /traffic/{name}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn set_traffic(
        &self,
        name: &str,
        traffic: &SetTraffic,
    ) -> Result<Traffic, ClientError> {
        let url = self.below("/traffic", name)?;
        self.send(self.http.put(url).json(traffic)).await
    }

    /// `GET /models/{model_id}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn version(&self, id: &str) -> Result<Version, ClientError> {
        let url = self.below("/models", id)?;
        self.send(self.http.get(url)).await
    }

    /// `POST /models/{model_id}/deactivate`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn deactivate(&self, id: &str) -> Result<Version, ClientError> {
        let url = self.beneath("/models", [id, "deactivate"])?;
        self.send(self.http.post(url)).await
    }

    /// `PUT /models/{model_id}/shadow`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn set_shadow(&self, id: &str, shadow: &SetShadow) -> Result<Version, ClientError> {
        let url = self.beneath("/models", [id, "shadow"])?;
        self.send(self.http.put(url).json(shadow)).await
    }

    /// `GET /models/{model_id}/shadow-report`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn shadow_report(
        &self,
        id: &str,
        query: &[(&str, &str)],
    ) -> Result<ShadowReport, ClientError> {
        let mut url = self.beneath("/models", [id, "shadow-report"])?;
        url.query_pairs_mut().extend_pairs(query);
        self.send(self.http.get(url)).await
    }

    /// `GET /rules/{name}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn rules(&self, name: &str) -> Result<Rules, ClientError> {
        self.send(self.http.get(self.below("/rules", name)?)).await
    }

    /// `PUT /rules/{name}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn set_rules(&self, name: &str, rules: &SetRules) -> Result<Rules, ClientError> {
        let url = self.below("/rules", name)?;
        self.send(self.http.put(url).json(rules)).await
    }

    /// `GET /aliases/{name}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn aliases(&self, name: &str) -> Result<Vec<Alias>, ClientError> {
        self.send(self.http.get(self.below("/aliases", name)?))
            .await
    }

    /// `PUT /aliases/{name}/{alias}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn set_alias(
        &self,
        name: &str,
        alias: &str,
        points_at: &SetAlias,
    ) -> Result<Alias, ClientError> {
        let url = self.beneath("/aliases", [name, alias])?;
        self.send(self.http.put(url).json(points_at)).await
    }

    /// `DELETE /aliases/{name}/{alias}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn delete_alias(&self, name: &str, alias: &str) -> Result<Message, ClientError> {
        let url = self.beneath("/aliases", [name, alias])?;
        self.send(self.http.delete(url)).await
    }

    /// `GET /metrics/{name}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn metrics(&self, name: &str) -> Result<Vec<Metric>, ClientError> {
        self.send(self.http.get(self.below("/metrics", name)?))
            .await
    }

    /// `PUT /metrics/{name}/{metric}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn declare_metric(
        &self,
        name: &str,
        metric: &str,
        declaration: &DeclareMetric,
    ) -> Result<Metric, ClientError> {
        let url = self.beneath("/metrics", [name, metric])?;
        self.send(self.http.put(url).json(declaration)).await
    }

    /// `DELETE /metrics/{name}/{metric}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn delete_metric(&self, name: &str, metric: &str) -> Result<Message, ClientError> {
        let url = self.beneath("/metrics", [name, metric])?;
        self.send(self.http.delete(url)).await
    }

    /// `PATCH /models/{model_id}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn patch_version(
        &self,
        id: &str,
        change: &PatchVersion,
    ) -> Result<Version, ClientError> {
        let url = self.below("/models", id)?;
        self.send(self.http.patch(url).json(change)).await
    }

    /// `DELETE /models/{model_id}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn delete_version(&self, id: &str) -> Result<Message, ClientError> {
        let url = self.below("/models", id)?;
        self.send(self.http.delete(url)).await
    }

    /// `GET /webhooks`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, ClientError> {
        self.send(self.http.get(self.url("/webhooks"))).await
    }

    /// `POST /webhooks`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn create_webhook(&self, webhook: &CreateWebhook) -> Result<Webhook, ClientError> {
        self.send(self.http.post(self.url("/webhooks")).json(webhook))
            .await
    }

    /// `DELETE /webhooks/{webhook}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn delete_webhook(&self, id: &str) -> Result<Message, ClientError> {
        let url = self.below("/webhooks", id)?;
        self.send(self.http.delete(url)).await
    }

    /// `POST /webhooks/{webhook}/test`.
    ///
    /// # Errors
    /// When the call fails; what the target says is in the reply.
    pub async fn test_webhook(&self, id: &str) -> Result<WebhookTest, ClientError> {
        let url = self.beneath("/webhooks", [id, "test"])?;
        self.send(self.http.post(url)).await
    }

    /// `GET /models/classification`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn classification(
        &self,
        query: &[(&str, &str)],
    ) -> Result<Classification, ClientError> {
        let url = self.url(&with_query("/models/classification", query));
        self.send(self.http.get(url)).await
    }

    /// `GET /models/performance` of a model, or of a stretch of time.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn report(&self, query: &[(&str, &str)]) -> Result<Performance, ClientError> {
        let url = self.url(&with_query("/models/performance", query));
        self.send(self.http.get(url)).await
    }

    /// `GET /predictions/{prediction_id}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn prediction(&self, id: &str) -> Result<LoggedPrediction, ClientError> {
        let url = self.below("/predictions", id)?;
        self.send(self.http.get(url)).await
    }

    /// `POST /predictions` with a line of JSON for each prediction, at most 10,000.
    ///
    /// # Errors
    /// When the call fails. Lines that are refused one by one are in the reply.
    pub async fn observe(&self, lines: Vec<u8>) -> Result<ObservedReply, ClientError> {
        let request = self.http.post(self.url("/predictions"));
        let request = request.header(CONTENT_TYPE, "application/x-ndjson");
        self.send(request.body(lines)).await
    }

    /// `POST /feedback` with a line of JSON for each value, at most 10,000.
    ///
    /// # Errors
    /// When the call fails. Lines that are refused one by one are in the reply.
    pub async fn feedback_lines(&self, lines: Vec<u8>) -> Result<FeedbackReply, ClientError> {
        let request = self.http.post(self.url("/feedback?receipts=false"));
        let request = request.header(CONTENT_TYPE, "application/x-ndjson");
        self.send(request.body(lines)).await
    }

    /// `GET /feedback/receipts/{receipt}`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn receipt(&self, id: &str) -> Result<RequestReceipt, ClientError> {
        let url = self.below("/feedback/receipts", id)?;
        self.send(self.http.get(url)).await
    }

    /// Where the server is.
    pub fn address(&self) -> &str {
        &self.base
    }

    /// `GET /predictions/export` or `GET /feedback/export`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn export(&self, path: &str, query: &[(&str, &str)]) -> Result<Export, ClientError> {
        let url = self.url(&with_query(path, query));
        let response = self.http.get(url).send().await?;
        if !response.status().is_success() {
            return Err(ClientError::Refused(Box::new(response.json().await?)));
        }
        let said = |name: &str| response.headers().get(name)?.to_str().ok();
        let next = said("weir-next-position").and_then(|position| position.parse().ok());
        Ok(Export {
            next_position: next.ok_or(ClientError::NoPosition)?,
            generation: said("weir-generation").unwrap_or_default().to_owned(),
            response,
        })
    }

    /// `GET /models`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn versions(&self) -> Result<Vec<Version>, ClientError> {
        self.send(self.http.get(self.url("/models"))).await
    }

    /// `GET /events`: what happens, as it happens.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn events(&self, filter: &[(&str, &str)]) -> Result<EventStream, ClientError> {
        let url = self.url(&with_query("/events", filter));
        let response = self.http.get(url).send().await?;
        if !response.status().is_success() {
            return Err(ClientError::Refused(Box::new(response.json().await?)));
        }
        Ok(EventStream {
            response,
            buffer: Vec::new(),
        })
    }

    /// `POST /evaluate`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn evaluate(&self, question: &EvaluateRequest) -> Result<EvaluateReply, ClientError> {
        let url = self.url("/evaluate");
        self.send(self.http.post(url).json(question)).await
    }

    /// `GET /experiments/{experiment}/results`.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn results(&self, experiment: &str) -> Result<ExperimentResults, ClientError> {
        let url = self.url(&format!("/experiments/{experiment}/results"));
        self.send(self.http.get(url)).await
    }

    /// The address of something by its name.
    fn below(&self, path: &str, name: &str) -> Result<reqwest::Url, ClientError> {
        self.beneath(path, [name])
    }

    /// The same where several names lead to it.
    fn beneath<const N: usize>(
        &self,
        path: &str,
        names: [&str; N],
    ) -> Result<reqwest::Url, ClientError> {
        let mut url = reqwest::Url::parse(&self.url(path)).map_err(|_| ClientError::Odd)?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(names);
        }
        Ok(url)
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

/// A path with a query.
fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let start = path.len() + 1;
    let mut pairs = url::form_urlencoded::Serializer::for_suffix(format!("{path}?"), start);
    pairs.extend_pairs(query).finish()
}

/// A stream of server-sent events.
pub struct EventStream {
    response: reqwest::Response,
    buffer: Vec<u8>,
}

impl EventStream {
    /// The next entry of the audit; `None` when the server ended the stream.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn next(&mut self) -> Result<Option<AuditEntry>, ClientError> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let text = String::from_utf8_lossy(&event);
                let lines = text.lines().filter_map(|line| line.strip_prefix("data:"));
                let data: Vec<&str> = lines.map(str::trim_start).collect();
                // A comment keeps the connection open and has no data.
                if let Ok(entry) = serde_json::from_str(&data.join("\n")) {
                    return Ok(Some(entry));
                }
            }
            match self.response.chunk().await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

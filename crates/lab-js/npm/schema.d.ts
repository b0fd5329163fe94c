// Written by make-types.mjs from schema.js.

export type Activation = "gelu" | "gelu_new" | "relu" | "swiglu";

/** Where the computation runs. */
export type BackendChoice = "cpu" | "auto" | "wgpu";

/** How documents become chunks. */
export type ChunkConfig = {
  /** Default: "structure". */
  method?: ChunkMethod;
  /** Tokens at the end of a chunk that the next one begins with, as far as whole words, sentences or paragraphs allow. Default: 20. */
  overlap?: number;
  /** The most tokens in a chunk, by the tokenizer in use. Default: 200. */
  size?: number;
};

/** What a document is cut along. */
export type ChunkMethod = "tokens" | "sentences" | "structure";

/** The data an experiment trains on. */
export type DataConfig = {
  /** Name of the built-in text (`source: built_in`), of the village's preset (`source: village`), or of the file the user gave. */
  name?: string;
  source: DataSource;
  /** Share of the text, at its end, that is held out for validation. Default: 0.1. */
  validation_fraction?: number;
  /** Settings of the village that differ from the preset's (`source: village`). */
  village?: VillageSettings;
};

export type DataSource = "built_in" | "village" | "user";

/** `DpoStrategy`'s configuration: direct preference optimisation (Rafailov et al. 2023), which needs neither a reward model nor samples. */
export type DpoConfig = {
  /** Pairs in a step. Default: 16. */
  batch_size?: number;
  /** How dear the divergence from the reference is: the larger, the nearer the policy stays. Default: 0.1. */
  beta?: number;
  /** Share of the labels that are held to be wrong. Default: 0. */
  label_smoothing?: number;
  lora?: LoraConfig | null;
  optimizer?: OptimizerConfig;
  /** Pairs to learn from instead of the data's, as they were collected. */
  preferences?: Array<PreferenceExample>;
  report?: ReportConfig;
  /** How answers for samples and evaluations are written. */
  rollout?: RolloutConfig;
  /** Default: 120. */
  steps?: number;
};

/** A model behind the network, asked as OpenAI's chat completions are. Its key is no part of this: natively it stands in an environment variable, in the page it is typed. */
export type EndpointConfig = {
  /** What `/chat/completions` is put behind, e.g. `http://127.0.0.1:8000/v1`. Default: "http://127.0.0.1:8000/v1". */
  base_url?: string;
  /** The environment variable that `lab` takes the key from; empty for an endpoint without one. Default: "". */
  key_variable?: string;
  /** The endpoint's name for the model. Default: "default". */
  model?: string;
  /** Tries after the first, where another may succeed. Default: 3. */
  retries?: number;
  /** Seconds after which a try without a whole answer is given up. Default: 60. */
  timeout?: number;
};

/** `FineTuningStrategy`'s configuration. The model and its tokenizer are those of the run it starts from. */
export type FineTuningConfig = {
  /** Read with `lora` and `qlora`. */
  lora?: LoraConfig;
  /** Default: "lora". */
  method?: FineTuningMethod;
  /** Examples of a batch stand one behind the other instead of in rows of equal length: nothing is computed for padding, and no example sees another. Default: false. */
  packing?: boolean;
  /** Share of each batch that is text the base was pretrained on, where the data have such (the village), so that what it knows is not forgotten: rehearsal. Default: 0. */
  replay?: number;
  /** Default: "drop". */
  too_long?: TooLong;
  training?: TrainingConfig;
};

/** Which weights are trained, and how the base is kept. */
export type FineTuningMethod = "full" | "lora" | "qlora";

/** What to write, and how freely. */
export type GenerateRequest = {
  /** Default: 200. */
  max_tokens?: number;
  /** Only tokens with at least this share of the likeliest one's probability may be drawn. 0: all. Default: 0. */
  min_p?: number;
  /** Default: "". */
  prompt?: string;
  /** Above 1, tokens that stand in the text already become less likely. Default: 1. */
  repetition_penalty?: number;
  /** Default: 0. */
  seed?: number;
  /** The text ends before any of these. */
  stop?: Array<string>;
  /** 0 takes the likeliest token every time. Default: 0.8. */
  temperature?: number;
  /** Only so many of the likeliest tokens may be drawn. 0: all. Default: 0. */
  top_k?: number;
  /** Only the likeliest tokens that together have this probability may be drawn. 1: all. Default: 1. */
  top_p?: number;
};

/** `GrpoStrategy`'s configuration: group relative policy optimisation (Shao et al. 2024). Answers to one prompt are compared with each other, so that no value has to be learned. */
export type GrpoConfig = {
  /** Default: 0.2. */
  clip?: number;
  /** Default: 2. */
  epochs?: number;
  /** Answers to each prompt. Default: 8. */
  group?: number;
  /** Default: "loss_k3". */
  kl?: KlPlacement;
  /** Default: 0.05. */
  kl_coefficient?: number;
  lora?: LoraConfig | null;
  /** See [`PpoConfig::maximum_kl`]. Default: 0.1. */
  maximum_kl?: number;
  /** Parts of the answers that are learned from one after the other; a divisor of `prompts · group`. Default: 4. */
  minibatches?: number;
  optimizer?: OptimizerConfig;
  /** Pairs to learn from instead of the data's, as they were collected. */
  preferences?: Array<PreferenceExample>;
  /** Prompts of an update. Default: 8. */
  prompts?: number;
  report?: ReportConfig;
  reward?: RewardConfig;
  /** Read where the reward is a model. */
  reward_model?: RewardModelConfig;
  rollout?: RolloutConfig;
  /** Divides advantages by the deviation of their group. Default: true. */
  scale_advantages?: boolean;
  /** Default: 60. */
  steps?: number;
};

/** Where the divergence from the reference is held against a policy. */
export type KlPlacement = "loss_k3" | "loss_k2" | "reward";

/** Low-rank adapters: y = W x + s·B(A·dropout(x)), s = alpha / rank. */
export type LoraConfig = {
  /** Default: 16. */
  alpha?: number;
  /** Direction and magnitude of the weights apart (Liu et al. 2024). Default: false. */
  dora?: boolean;
  /** Probability with which a number of the adapter's input is dropped in training. Default: 0. */
  dropout?: number;
  /** Columns of A and rows of B. Default: 8. */
  rank?: number;
  /** s = alpha / sqrt(rank) (Kalajdzievski 2023). Default: false. */
  rslora?: boolean;
  /** Linear layers to adapt: a module's path in the model's file, an end of it such as `q_proj`, or either with `*` for anything. Empty means every linear layer but the head. */
  targets?: Array<string>;
};

/** Shape of a decoder-only transformer. The vocabulary comes from the tokenizer. */
export type ModelConfig = {
  /** Default: "gelu". */
  activation?: Activation;
  /** Biases in the attention's linear layers, where that differs from `bias`. */
  attention_bias?: boolean | null;
  /** Biases in the linear layers and in LayerNorm. Default: false. */
  bias?: boolean;
  /** The window: the most tokens the model sees at once. Default: 64. */
  context?: number;
  /** Probability with which an activation is dropped in training. Default: 0. */
  dropout?: number;
  /** Size of a head; 0 means width / heads. Default: 0. */
  head_width?: number;
  /** Default: 4. */
  heads?: number;
  /** Size of the MLP's inner layer; 0 means 4·width. Default: 0. */
  hidden_width?: number;
  /** Fewer than `heads` share keys and values (grouped-query attention); 0 means as many as `heads`. Default: 0. */
  key_value_heads?: number;
  /** Default: 4. */
  layers?: number;
  /** Biases in the MLP's linear layers, where that differs from `bias`. */
  mlp_bias?: boolean | null;
  /** Default: "layer_norm". */
  norm?: Norm;
  /** Default: 0.00001. */
  norm_epsilon?: number;
  /** Default: "learned". */
  position?: Position;
  /** Default: 10000. */
  rope_theta?: number;
  /** The output layer is the token embedding, transposed. Default: true. */
  tied_head?: boolean;
  /** Size of a token's vector; a multiple of `heads` where `head_width` is 0. Default: 64. */
  width?: number;
};

export type Norm = "layer_norm" | "rms_norm";

/** AdamW and the rate's schedule: a linear warm-up, then a straight line down to the lowest rate. */
export type OptimizerConfig = {
  /** Default: 0.9. */
  beta1?: number;
  /** Default: 0.99. */
  beta2?: number;
  /** Default: 1e-8. */
  epsilon?: number;
  /** Largest global norm of the gradient; 0 means no clipping. Default: 1. */
  gradient_clip?: number;
  /** Default: 0.0003. */
  learning_rate?: number;
  /** Default: 0. */
  minimum_learning_rate?: number;
  /** Default: 0. */
  warmup_steps?: number;
  /** Default: 0. */
  weight_decay?: number;
};

export type Position = "learned" | "rope";

/** Proximal policy optimisation (Schulman et al. 2017) with a penalty on the divergence from a reference. */
export type PpoConfig = {
  /** Answers of an update. Default: 64. */
  batch_size?: number;
  /** Default: 0.2. */
  clip?: number;
  /** Default: 0. */
  entropy_coefficient?: number;
  /** Times that each answer is learned from. Default: 4. */
  epochs?: number;
  /** Default: 1. */
  gamma?: number;
  /** What a nat of divergence from the reference costs. Default: 0.05. */
  kl_coefficient?: number;
  /** Sequences over which the coefficient adapts. Default: 10000. */
  kl_horizon?: number;
  /** Nats a sequence towards which the coefficient is moved; none keeps it fixed. */
  kl_target?: number | null;
  /** Default: 0.95. */
  lambda?: number;
  /** An update ends when the policy is this far from the one that sampled, in nats a token (half the mean squared log ratio); 0 means never. Default: 0.1. */
  maximum_kl?: number;
  /** Parts of the batch that are learned from one after the other; a divisor of `batch_size`. Default: 4. */
  minibatches?: number;
  optimizer?: OptimizerConfig;
  /** Updates, each on answers that were sampled for it. Default: 60. */
  steps?: number;
  /** Default: 0.2. */
  value_clip?: number;
  /** Default: 0.1. */
  value_coefficient?: number;
  /** Divides rewards by their deviation, keeping their mean. Default: false. */
  whiten_rewards?: boolean;
};

/** Two responses to a prompt, of which one was preferred. */
export type PreferenceExample = {
  chosen: string;
  /** By how much the chosen one is better. */
  margin?: number | null;
  prompt: string;
  rejected: string;
};

/** A village of a given size. */
export type Preset = "village" | "hamlet" | "town";

/** `PretrainingStrategy`'s configuration. */
export type PretrainingConfig = {
  model?: ModelConfig;
  /** Default: "character". */
  tokenizer?: TokenizerKind;
  training?: TrainingConfig;
  /** The most tokens that byte-pair encoding learns; the other kinds follow from the text. Default: 1024. */
  vocabulary?: number;
};

/** How documents are indexed, and how questions are answered from them. */
export type RagConfig = {
  /** The longest answer, in tokens; passages are left out until question and answer fit the context. Default: 40. */
  answer_tokens?: number;
  chunking?: ChunkConfig;
  /** Answers, if there, instead of the model that the strategy starts from. */
  endpoint?: EndpointConfig | null;
  /** Passages that are looked at to measure retrieval, e.g. in `ndcg@10`. Default: 10. */
  evaluation_depth?: number;
  /** With fewer chunks every vector is looked at; with more, a graph is searched. Default: 4096. */
  exact_below?: number;
  /** Default: "hybrid". */
  method?: RetrievalMethod;
  /** Passages that an answer is written from. Default: 3. */
  passages?: number;
  /** Questions that are answered when the index is there. */
  questions?: Array<string>;
  /** Passages that score lower are not used, by the scale of the method; 0 for no limit. Where no passage is left, the question is not answered. Default: 0. */
  threshold?: number;
};

/** What is measured and kept while the policy is trained. */
export type ReportConfig = {
  /** Steps between checkpoints to resume from; 0 means none. Default: 20. */
  checkpoint_interval?: number;
  /** Steps between evaluations on what is held out; 0 means before the first step and after the last only. Default: 0. */
  evaluation_interval?: number;
  /** Held-out prompts that are answered in an evaluation; 0 means all. Default: 200. */
  evaluation_prompts?: number;
  /** Steps between samples. Default: 10. */
  sample_interval?: number;
  /** Answers shown each time. Default: 2. */
  samples?: number;
};

/** By what passages are ranked. */
export type RetrievalMethod = "dense" | "bm25" | "hybrid";

/** Where the reward of an answer comes from. */
export type RewardConfig = {
  kind: "model";
} | {
  kind: "pattern";
  pattern: string;
  /** Default: 1. */
  weight?: number;
} | {
  kind: "length";
  tokens: number;
} | {
  kind: "function";
};

/** How a reward model is trained on preferences (Stiennon et al. 2020) before the policy is. */
export type RewardModelConfig = {
  /** Pairs in a step. Default: 16. */
  batch_size?: number;
  /** Weight of the squared sum of both rewards, which keeps them around 0. Default: 0.01. */
  centre?: number;
  /** Steps between evaluations on held-out pairs; 0 means at the end only. Default: 20. */
  evaluation_interval?: number;
  /** Adapts the trunk by low-rank matrices instead of training all of it. */
  lora?: LoraConfig | null;
  /** Answers by which that is measured. Default: 128. */
  normalisation_samples?: number;
  /** Brings rewards to mean 0 and deviation 1 over answers of the reference policy. Default: true. */
  normalise?: boolean;
  optimizer?: OptimizerConfig;
  /** Default: 120. */
  steps?: number;
};

/** `RlhfStrategy`'s configuration. Model and tokenizer are those of the run it starts from, which is the reference too. */
export type RlhfConfig = {
  /** Trains an adapter on the frozen reference instead of all weights. */
  lora?: LoraConfig | null;
  ppo?: PpoConfig;
  /** Pairs to learn from instead of the data's, as they were collected. */
  preferences?: Array<PreferenceExample>;
  report?: ReportConfig;
  reward?: RewardConfig;
  /** Read where the reward is a model. */
  reward_model?: RewardModelConfig;
  rollout?: RolloutConfig;
};

/** How answers are sampled. There are no filters: the policy that is improved is the one that samples. */
export type RolloutConfig = {
  /** Subtracted from the score of an answer that did not come to its end. Default: 1. */
  missing_eos_penalty?: number;
  /** Most tokens of an answer. Default: 40. */
  response_tokens?: number;
  /** A text of one token that ends an answer; empty means the tokenizer's end of text, if it has one. Default: "". */
  stop?: string;
  /** Divides the logits of policy and reference alike. Default: 1. */
  temperature?: number;
};

export type Schedule = "linear" | "constant" | "cosine";

/** One strategy of an experiment. `config` is read by the strategy itself, so that a new strategy changes nothing here. */
export type StrategyConfig = {
  config?: unknown;
  /** Name of the strategy of this experiment whose model this one starts from. */
  from?: string | null;
  /** Unique within the experiment; metrics carry it. */
  name: string;
  /** A registered strategy, e.g. `pretraining`. */
  strategy: string;
};

export type TokenizerKind = "character" | "byte" | "bpe";

/** What becomes of an example that does not fit the model's context. */
export type TooLong = "drop" | "truncate" | "error";

/** How a model is trained. The defaults are those of the quick start. */
export type TrainingConfig = {
  /** Sequences in a micro-batch. Default: 8. */
  batch_size?: number;
  /** Default: 0.9. */
  beta1?: number;
  /** Default: 0.99. */
  beta2?: number;
  /** Steps between checkpoints to resume from; 0 means none. Default: 100. */
  checkpoint_interval?: number;
  /** Step at which the schedule ends; 0 means `steps`. Default: 0. */
  decay_steps?: number;
  /** Evaluations without a better loss after which training stops; 0 means never. Default: 0. */
  early_stopping_patience?: number;
  /** Default: 1e-8. */
  epsilon?: number;
  /** Steps between evaluations on the held-out part; 0 means at the end only. Default: 50. */
  evaluation_interval?: number;
  /** Windows of the held-out part in an evaluation while training, the same ones every time; 0 means all. Default: 32. */
  evaluation_windows?: number;
  /** Tokens between the starts of the windows at the end, at most the context; 0 means the context: windows that do not overlap. With less, each token is judged with more text before it. Default: 0. */
  final_evaluation_stride?: number;
  /** The same for the evaluation at the end, whose loss is the result. Default: 0. */
  final_evaluation_windows?: number;
  /** Micro-batches whose gradients are summed before an update. Default: 1. */
  gradient_accumulation?: number;
  /** Largest global norm of the gradient; 0 means no clipping. Default: 1. */
  gradient_clip?: number;
  /** Default: 0.002. */
  learning_rate?: number;
  /** Where the schedule ends. Default: 0.0002. */
  minimum_learning_rate?: number;
  /** Steps between samples; 0 means none but at the end. Default: 50. */
  sample_interval?: number;
  /** What samples begin with; empty means a new line, or the text's first character if it has none. Default: "". */
  sample_prompt?: string;
  /** Default: 0.8. */
  sample_temperature?: number;
  /** Default: 120. */
  sample_tokens?: number;
  /** Default: "cosine". */
  schedule?: Schedule;
  /** Default: 500. */
  steps?: number;
  /** Default: 40. */
  warmup_steps?: number;
  /** Decoupled decay (Loshchilov and Hutter 2019), on matrices and embeddings only. Default: 0.1. */
  weight_decay?: number;
};

/** Everything that decides what a village is. The same settings give the same bytes everywhere. */
export type VillageSettings = {
  /** How often each trained question is answered, in another manner each time. Default: 4. */
  answers_per_question?: number;
  /** Share of the passages beside the right one that are about a person of the same first name or surname: the higher, the harder. Default: 0.25. */
  confusable?: number;
  /** Texts to pretrain on. Default: 16000. */
  documents?: number;
  /** Different first names. With fewer than people, some share one. Default: 24. */
  first_names?: number;
  /** Texts of the same language that are held out. Default: 300. */
  held_out_documents?: number;
  /** Share of the people about whom no question is ever trained. Default: 0.25. */
  held_out_people?: number;
  /** Share of the facts about the others that are never asked in training. Default: 0.15. */
  held_out_questions?: number;
  /** The same for judging, about held-out questions. Default: 150. */
  judged_preferences?: number;
  /** The same for judging. Default: 150. */
  judged_reading?: number;
  /** People whom no model is trained on and whom only the documents describe. Default: 40. */
  new_people?: number;
  /** Most passages before a question. Default: 3. */
  passages?: number;
  /** People who live there and are written about. Default: 24. */
  people?: number;
  /** Share of the preference pairs whose order is wrong, as human judgement often is. Default: 0. */
  preference_noise?: number;
  /** Pairs of answers, one better than the other. Default: 600. */
  preference_pairs?: number;
  /** Where the other settings start from. Default: "hamlet". */
  preset?: Preset;
  /** Questions about each of them, one for each fact at most. Default: 5. */
  questions_per_new_person?: number;
  /** Training pairs whose answer stands in passages that come with the question. Default: 6000. */
  reading_pairs?: number;
  /** Default: 0. */
  seed?: number;
  /** Shops, each in a street and each selling one thing. Default: 6. */
  shops?: number;
  /** Default: 24. */
  surnames?: number;
  /** Share of those texts that are about travellers, of whom nothing is to be remembered: they teach to read. More of them are harder to learn. Default: 0.1. */
  travellers?: number;
  /** Share of the reading pairs whose passages do not hold the answer. Default: 0.2. */
  unknown_share?: number;
  /** Different streets, pets, trades, foods, colours and goods, of each kind so many. Default: 16. */
  values?: number;
};

/** A named set of strategy runs that share data, seed and evaluation. */
export type ExperimentConfig = {
  /** Default: "auto". */
  backend?: BackendChoice;
  data: DataConfig;
  /** Default: "". */
  description?: string;
  name: string;
  /** Default: 1. */
  schema?: number;
  /** Decides initial weights, batches, dropout and samples. Default: 1337. */
  seed?: number;
  strategies: Array<StrategyConfig>;
};

declare const schema: { $defs: Record<string, unknown> } & Record<string, unknown>;
export default schema;

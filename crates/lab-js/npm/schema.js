// Written by `lab schema`.
export default {
  "$defs": {
    "Activation": {
      "oneOf": [
        {
          "const": "gelu",
          "description": "x·Φ(x), by the error function.",
          "type": "string"
        },
        {
          "const": "gelu_new",
          "description": "The tanh form that GPT-2 uses.",
          "type": "string"
        },
        {
          "const": "relu",
          "description": "max(x, 0).",
          "type": "string"
        },
        {
          "const": "swiglu",
          "description": "silu(gate)·up: three matrices instead of two (Shazeer 2020), as in Llama.",
          "type": "string"
        }
      ]
    },
    "BackendChoice": {
      "description": "Where the computation runs.",
      "oneOf": [
        {
          "enum": [
            "cpu"
          ],
          "type": "string"
        },
        {
          "const": "auto",
          "description": "A usable GPU if there is one, else the CPU (natively: the CPU).",
          "type": "string"
        },
        {
          "const": "wgpu",
          "description": "WebGPU in a browser; Vulkan, Metal or DX12 natively, where the program was built with it.",
          "type": "string"
        }
      ]
    },
    "ChunkConfig": {
      "additionalProperties": false,
      "description": "How documents become chunks.",
      "properties": {
        "method": {
          "$ref": "#/$defs/ChunkMethod",
          "default": "structure"
        },
        "overlap": {
          "default": 20,
          "description": "Tokens at the end of a chunk that the next one begins with, as far as whole words, sentences or\nparagraphs allow.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "size": {
          "default": 200,
          "description": "The most tokens in a chunk, by the tokenizer in use.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        }
      },
      "type": "object"
    },
    "ChunkMethod": {
      "description": "What a document is cut along.",
      "oneOf": [
        {
          "const": "tokens",
          "description": "Anywhere between words.",
          "type": "string"
        },
        {
          "const": "sentences",
          "description": "Between sentences, where a sentence is not too long.",
          "type": "string"
        },
        {
          "const": "structure",
          "description": "At Markdown headings, and within a section between paragraphs.",
          "type": "string"
        }
      ]
    },
    "DataConfig": {
      "additionalProperties": false,
      "description": "The data an experiment trains on.",
      "properties": {
        "name": {
          "description": "Name of the built-in text (`source: built_in`), of the village's preset (`source: village`), or of\nthe file the user gave.",
          "type": "string"
        },
        "source": {
          "$ref": "#/$defs/DataSource"
        },
        "validation_fraction": {
          "default": 0.1,
          "description": "Share of the text, at its end, that is held out for validation.",
          "format": "double",
          "type": "number"
        },
        "village": {
          "$ref": "#/$defs/VillageSettings",
          "additionalProperties": true,
          "description": "Settings of the village that differ from the preset's (`source: village`).",
          "type": "object"
        }
      },
      "required": [
        "source"
      ],
      "type": "object"
    },
    "DataSource": {
      "oneOf": [
        {
          "const": "built_in",
          "description": "A text that comes with the lab.",
          "type": "string"
        },
        {
          "const": "village",
          "description": "The small world made from a seed: text, questions, preferences and documents of known truth.",
          "type": "string"
        },
        {
          "const": "user",
          "description": "A text that the user supplies: pasted, dropped, or named with `--data`.",
          "type": "string"
        }
      ]
    },
    "DpoConfig": {
      "additionalProperties": false,
      "description": "`DpoStrategy`'s configuration: direct preference optimisation (Rafailov et al. 2023), which needs\nneither a reward model nor samples.",
      "properties": {
        "batch_size": {
          "default": 16,
          "description": "Pairs in a step.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "beta": {
          "default": 0.1,
          "description": "How dear the divergence from the reference is: the larger, the nearer the policy stays.",
          "format": "double",
          "type": "number"
        },
        "label_smoothing": {
          "default": 0.0,
          "description": "Share of the labels that are held to be wrong.",
          "format": "double",
          "type": "number"
        },
        "lora": {
          "anyOf": [
            {
              "$ref": "#/$defs/LoraConfig"
            },
            {
              "type": "null"
            }
          ]
        },
        "optimizer": {
          "$ref": "#/$defs/OptimizerConfig",
          "default": {
            "beta1": 0.9,
            "beta2": 0.99,
            "epsilon": 1e-8,
            "gradient_clip": 1.0,
            "learning_rate": 0.0003,
            "minimum_learning_rate": 0.0,
            "warmup_steps": 10,
            "weight_decay": 0.0
          }
        },
        "preferences": {
          "description": "Pairs to learn from instead of the data's, as they were collected.",
          "items": {
            "$ref": "#/$defs/PreferenceExample"
          },
          "type": "array"
        },
        "report": {
          "$ref": "#/$defs/ReportConfig",
          "default": {
            "checkpoint_interval": 20,
            "evaluation_interval": 0,
            "evaluation_prompts": 200,
            "sample_interval": 10,
            "samples": 2
          }
        },
        "rollout": {
          "$ref": "#/$defs/RolloutConfig",
          "default": {
            "missing_eos_penalty": 1.0,
            "response_tokens": 40,
            "stop": "",
            "temperature": 1.0
          },
          "description": "How answers for samples and evaluations are written."
        },
        "steps": {
          "default": 120,
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        }
      },
      "type": "object"
    },
    "EndpointConfig": {
      "additionalProperties": false,
      "description": "A model behind the network, asked as OpenAI's chat completions are. Its key is no part of this: natively\nit stands in an environment variable, in the page it is typed.",
      "properties": {
        "base_url": {
          "default": "http://127.0.0.1:8000/v1",
          "description": "What `/chat/completions` is put behind, e.g. `http://127.0.0.1:8000/v1`.",
          "type": "string"
        },
        "key_variable": {
          "default": "",
          "description": "The environment variable that `lab` takes the key from; empty for an endpoint without one.",
          "type": "string"
        },
        "model": {
          "default": "default",
          "description": "The endpoint's name for the model.",
          "type": "string"
        },
        "retries": {
          "default": 3,
          "description": "Tries after the first, where another may succeed.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "timeout": {
          "default": 60.0,
          "description": "Seconds after which a try without a whole answer is given up.",
          "format": "double",
          "type": "number"
        }
      },
      "type": "object"
    },
    "FineTuningConfig": {
      "additionalProperties": false,
      "description": "`FineTuningStrategy`'s configuration. The model and its tokenizer are those of the run it starts from.",
      "properties": {
        "lora": {
          "$ref": "#/$defs/LoraConfig",
          "default": {
            "alpha": 16.0,
            "dora": false,
            "dropout": 0.0,
            "rank": 8,
            "rslora": false,
            "targets": []
          },
          "description": "Read with `lora` and `qlora`."
        },
        "method": {
          "$ref": "#/$defs/FineTuningMethod",
          "default": "lora"
        },
        "packing": {
          "default": false,
          "description": "Examples of a batch stand one behind the other instead of in rows of equal length: nothing is\ncomputed for padding, and no example sees another.",
          "type": "boolean"
        },
        "replay": {
          "default": 0.0,
          "description": "Share of each batch that is text the base was pretrained on, where the data have such (the village),\nso that what it knows is not forgotten: rehearsal.",
          "format": "double",
          "type": "number"
        },
        "too_long": {
          "$ref": "#/$defs/TooLong",
          "default": "drop"
        },
        "training": {
          "$ref": "#/$defs/TrainingConfig",
          "default": {
            "batch_size": 8,
            "beta1": 0.9,
            "beta2": 0.99,
            "checkpoint_interval": 100,
            "decay_steps": 0,
            "early_stopping_patience": 0,
            "epsilon": 1e-8,
            "evaluation_interval": 50,
            "evaluation_windows": 32,
            "final_evaluation_stride": 0,
            "final_evaluation_windows": 0,
            "gradient_accumulation": 1,
            "gradient_clip": 1.0,
            "learning_rate": 0.002,
            "minimum_learning_rate": 0.0002,
            "sample_interval": 50,
            "sample_prompt": "",
            "sample_temperature": 0.8,
            "sample_tokens": 120,
            "schedule": "cosine",
            "steps": 500,
            "warmup_steps": 40,
            "weight_decay": 0.1
          }
        }
      },
      "type": "object"
    },
    "FineTuningMethod": {
      "description": "Which weights are trained, and how the base is kept.",
      "oneOf": [
        {
          "const": "full",
          "description": "All weights.",
          "type": "string"
        },
        {
          "const": "lora",
          "description": "Low-rank adapters on a frozen base (Hu et al. 2021).",
          "type": "string"
        },
        {
          "const": "qlora",
          "description": "The same on a base kept in 4 bits (Dettmers et al. 2023).",
          "type": "string"
        }
      ]
    },
    "GenerateRequest": {
      "additionalProperties": false,
      "description": "What to write, and how freely.",
      "properties": {
        "max_tokens": {
          "default": 200,
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "min_p": {
          "default": 0.0,
          "description": "Only tokens with at least this share of the likeliest one's probability may be drawn. 0: all.",
          "format": "double",
          "type": "number"
        },
        "prompt": {
          "default": "",
          "type": "string"
        },
        "repetition_penalty": {
          "default": 1.0,
          "description": "Above 1, tokens that stand in the text already become less likely.",
          "format": "double",
          "type": "number"
        },
        "seed": {
          "default": 0,
          "format": "uint64",
          "minimum": 0,
          "type": "integer"
        },
        "stop": {
          "default": [],
          "description": "The text ends before any of these.",
          "items": {
            "type": "string"
          },
          "type": "array"
        },
        "temperature": {
          "default": 0.8,
          "description": "0 takes the likeliest token every time.",
          "format": "double",
          "type": "number"
        },
        "top_k": {
          "default": 0,
          "description": "Only so many of the likeliest tokens may be drawn. 0: all.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "top_p": {
          "default": 1.0,
          "description": "Only the likeliest tokens that together have this probability may be drawn. 1: all.",
          "format": "double",
          "type": "number"
        }
      },
      "type": "object"
    },
    "GrpoConfig": {
      "additionalProperties": false,
      "description": "`GrpoStrategy`'s configuration: group relative policy optimisation (Shao et al. 2024). Answers to one\nprompt are compared with each other, so that no value has to be learned.",
      "properties": {
        "clip": {
          "default": 0.2,
          "format": "double",
          "type": "number"
        },
        "epochs": {
          "default": 2,
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "group": {
          "default": 8,
          "description": "Answers to each prompt.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "kl": {
          "$ref": "#/$defs/KlPlacement",
          "default": "loss_k3"
        },
        "kl_coefficient": {
          "default": 0.05,
          "format": "double",
          "type": "number"
        },
        "lora": {
          "anyOf": [
            {
              "$ref": "#/$defs/LoraConfig"
            },
            {
              "type": "null"
            }
          ]
        },
        "maximum_kl": {
          "default": 0.1,
          "description": "See [`PpoConfig::maximum_kl`].",
          "format": "double",
          "type": "number"
        },
        "minibatches": {
          "default": 4,
          "description": "Parts of the answers that are learned from one after the other; a divisor of `prompts · group`.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "optimizer": {
          "$ref": "#/$defs/OptimizerConfig",
          "default": {
            "beta1": 0.9,
            "beta2": 0.99,
            "epsilon": 1e-8,
            "gradient_clip": 1.0,
            "learning_rate": 0.0003,
            "minimum_learning_rate": 0.0,
            "warmup_steps": 0,
            "weight_decay": 0.0
          }
        },
        "preferences": {
          "description": "Pairs to learn from instead of the data's, as they were collected.",
          "items": {
            "$ref": "#/$defs/PreferenceExample"
          },
          "type": "array"
        },
        "prompts": {
          "default": 8,
          "description": "Prompts of an update.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "report": {
          "$ref": "#/$defs/ReportConfig",
          "default": {
            "checkpoint_interval": 20,
            "evaluation_interval": 0,
            "evaluation_prompts": 200,
            "sample_interval": 10,
            "samples": 2
          }
        },
        "reward": {
          "$ref": "#/$defs/RewardConfig",
          "default": {
            "kind": "model"
          }
        },
        "reward_model": {
          "$ref": "#/$defs/RewardModelConfig",
          "default": {
            "batch_size": 16,
            "centre": 0.01,
            "evaluation_interval": 20,
            "normalisation_samples": 128,
            "normalise": true,
            "optimizer": {
              "beta1": 0.9,
              "beta2": 0.99,
              "epsilon": 1e-8,
              "gradient_clip": 1.0,
              "learning_rate": 0.0003,
              "minimum_learning_rate": 0.0,
              "warmup_steps": 10,
              "weight_decay": 0.0
            },
            "steps": 120
          },
          "description": "Read where the reward is a model."
        },
        "rollout": {
          "$ref": "#/$defs/RolloutConfig",
          "default": {
            "missing_eos_penalty": 1.0,
            "response_tokens": 40,
            "stop": "",
            "temperature": 1.0
          }
        },
        "scale_advantages": {
          "default": true,
          "description": "Divides advantages by the deviation of their group.",
          "type": "boolean"
        },
        "steps": {
          "default": 60,
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        }
      },
      "type": "object"
    },
    "KlPlacement": {
      "description": "Where the divergence from the reference is held against a policy.",
      "oneOf": [
        {
          "const": "loss_k3",
          "description": "In the loss, by the estimator `exp(-l) - 1 + l` (Shao et al. 2024).",
          "type": "string"
        },
        {
          "const": "loss_k2",
          "description": "In the loss, by half the squared log ratio, whose gradient is the divergence's own.",
          "type": "string"
        },
        {
          "const": "reward",
          "description": "In the reward of each answer, before answers are compared.",
          "type": "string"
        }
      ]
    },
    "LoraConfig": {
      "additionalProperties": false,
      "description": "Low-rank adapters: y = W x + s·B(A·dropout(x)), s = alpha / rank.",
      "properties": {
        "alpha": {
          "default": 16.0,
          "format": "double",
          "type": "number"
        },
        "dora": {
          "default": false,
          "description": "Direction and magnitude of the weights apart (Liu et al. 2024).",
          "type": "boolean"
        },
        "dropout": {
          "default": 0.0,
          "description": "Probability with which a number of the adapter's input is dropped in training.",
          "format": "double",
          "type": "number"
        },
        "rank": {
          "default": 8,
          "description": "Columns of A and rows of B.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "rslora": {
          "default": false,
          "description": "s = alpha / sqrt(rank) (Kalajdzievski 2023).",
          "type": "boolean"
        },
        "targets": {
          "default": [],
          "description": "Linear layers to adapt: a module's path in the model's file, an end of it such as `q_proj`, or\neither with `*` for anything. Empty means every linear layer but the head.",
          "items": {
            "type": "string"
          },
          "type": "array"
        }
      },
      "type": "object"
    },
    "ModelConfig": {
      "additionalProperties": false,
      "description": "Shape of a decoder-only transformer. The vocabulary comes from the tokenizer.",
      "properties": {
        "activation": {
          "$ref": "#/$defs/Activation",
          "default": "gelu"
        },
        "attention_bias": {
          "description": "Biases in the attention's linear layers, where that differs from `bias`.",
          "type": [
            "boolean",
            "null"
          ]
        },
        "bias": {
          "default": false,
          "description": "Biases in the linear layers and in LayerNorm.",
          "type": "boolean"
        },
        "context": {
          "default": 64,
          "description": "The window: the most tokens the model sees at once.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "dropout": {
          "default": 0.0,
          "description": "Probability with which an activation is dropped in training.",
          "format": "double",
          "type": "number"
        },
        "head_width": {
          "default": 0,
          "description": "Size of a head; 0 means width / heads.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "heads": {
          "default": 4,
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "hidden_width": {
          "default": 0,
          "description": "Size of the MLP's inner layer; 0 means 4·width.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "key_value_heads": {
          "default": 0,
          "description": "Fewer than `heads` share keys and values (grouped-query attention); 0 means as many as `heads`.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "layers": {
          "default": 4,
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "mlp_bias": {
          "description": "Biases in the MLP's linear layers, where that differs from `bias`.",
          "type": [
            "boolean",
            "null"
          ]
        },
        "norm": {
          "$ref": "#/$defs/Norm",
          "default": "layer_norm"
        },
        "norm_epsilon": {
          "default": 0.00001,
          "format": "double",
          "type": "number"
        },
        "position": {
          "$ref": "#/$defs/Position",
          "default": "learned"
        },
        "rope_theta": {
          "default": 10000.0,
          "format": "double",
          "type": "number"
        },
        "tied_head": {
          "default": true,
          "description": "The output layer is the token embedding, transposed.",
          "type": "boolean"
        },
        "width": {
          "default": 64,
          "description": "Size of a token's vector; a multiple of `heads` where `head_width` is 0.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        }
      },
      "type": "object"
    },
    "Norm": {
      "enum": [
        "layer_norm",
        "rms_norm"
      ],
      "type": "string"
    },
    "OptimizerConfig": {
      "additionalProperties": false,
      "description": "AdamW and the rate's schedule: a linear warm-up, then a straight line down to the lowest rate.",
      "properties": {
        "beta1": {
          "default": 0.9,
          "format": "double",
          "type": "number"
        },
        "beta2": {
          "default": 0.99,
          "format": "double",
          "type": "number"
        },
        "epsilon": {
          "default": 1e-8,
          "format": "double",
          "type": "number"
        },
        "gradient_clip": {
          "default": 1.0,
          "description": "Largest global norm of the gradient; 0 means no clipping.",
          "format": "double",
          "type": "number"
        },
        "learning_rate": {
          "default": 0.0003,
          "format": "double",
          "type": "number"
        },
        "minimum_learning_rate": {
          "default": 0.0,
          "format": "double",
          "type": "number"
        },
        "warmup_steps": {
          "default": 0,
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "weight_decay": {
          "default": 0.0,
          "format": "double",
          "type": "number"
        }
      },
      "type": "object"
    },
    "Position": {
      "oneOf": [
        {
          "const": "learned",
          "description": "A trained vector for each position (GPT-2).",
          "type": "string"
        },
        {
          "const": "rope",
          "description": "Rotary embeddings (Su et al. 2021), with the two halves of a head rotated, as in Llama.",
          "type": "string"
        }
      ]
    },
    "PpoConfig": {
      "additionalProperties": false,
      "description": "Proximal policy optimisation (Schulman et al. 2017) with a penalty on the divergence from a reference.",
      "properties": {
        "batch_size": {
          "default": 64,
          "description": "Answers of an update.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "clip": {
          "default": 0.2,
          "format": "double",
          "type": "number"
        },
        "entropy_coefficient": {
          "default": 0.0,
          "format": "double",
          "type": "number"
        },
        "epochs": {
          "default": 4,
          "description": "Times that each answer is learned from.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "gamma": {
          "default": 1.0,
          "format": "double",
          "type": "number"
        },
        "kl_coefficient": {
          "default": 0.05,
          "description": "What a nat of divergence from the reference costs.",
          "format": "double",
          "type": "number"
        },
        "kl_horizon": {
          "default": 10000.0,
          "description": "Sequences over which the coefficient adapts.",
          "format": "double",
          "type": "number"
        },
        "kl_target": {
          "description": "Nats a sequence towards which the coefficient is moved; none keeps it fixed.",
          "format": "double",
          "type": [
            "number",
            "null"
          ]
        },
        "lambda": {
          "default": 0.95,
          "format": "double",
          "type": "number"
        },
        "maximum_kl": {
          "default": 0.1,
          "description": "An update ends when the policy is this far from the one that sampled, in nats a token (half the\nmean squared log ratio); 0 means never.",
          "format": "double",
          "type": "number"
        },
        "minibatches": {
          "default": 4,
          "description": "Parts of the batch that are learned from one after the other; a divisor of `batch_size`.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "optimizer": {
          "$ref": "#/$defs/OptimizerConfig",
          "default": {
            "beta1": 0.9,
            "beta2": 0.99,
            "epsilon": 1e-8,
            "gradient_clip": 1.0,
            "learning_rate": 0.0003,
            "minimum_learning_rate": 0.0,
            "warmup_steps": 0,
            "weight_decay": 0.0
          }
        },
        "steps": {
          "default": 60,
          "description": "Updates, each on answers that were sampled for it.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "value_clip": {
          "default": 0.2,
          "format": "double",
          "type": "number"
        },
        "value_coefficient": {
          "default": 0.1,
          "format": "double",
          "type": "number"
        },
        "whiten_rewards": {
          "default": false,
          "description": "Divides rewards by their deviation, keeping their mean.",
          "type": "boolean"
        }
      },
      "type": "object"
    },
    "PreferenceExample": {
      "additionalProperties": false,
      "description": "Two responses to a prompt, of which one was preferred.",
      "properties": {
        "chosen": {
          "type": "string"
        },
        "margin": {
          "description": "By how much the chosen one is better.",
          "format": "double",
          "type": [
            "number",
            "null"
          ]
        },
        "prompt": {
          "type": "string"
        },
        "rejected": {
          "type": "string"
        }
      },
      "required": [
        "prompt",
        "chosen",
        "rejected"
      ],
      "type": "object"
    },
    "Preset": {
      "description": "A village of a given size.",
      "oneOf": [
        {
          "enum": [
            "village"
          ],
          "type": "string"
        },
        {
          "const": "hamlet",
          "description": "Small enough that a laptop's CPU learns its language in about a minute.",
          "type": "string"
        },
        {
          "const": "town",
          "description": "Some people share a first name or a surname with many others.",
          "type": "string"
        }
      ]
    },
    "PretrainingConfig": {
      "additionalProperties": false,
      "description": "`PretrainingStrategy`'s configuration.",
      "properties": {
        "model": {
          "$ref": "#/$defs/ModelConfig",
          "default": {
            "activation": "gelu",
            "bias": false,
            "context": 64,
            "dropout": 0.0,
            "head_width": 0,
            "heads": 4,
            "hidden_width": 0,
            "key_value_heads": 0,
            "layers": 4,
            "norm": "layer_norm",
            "norm_epsilon": 0.00001,
            "position": "learned",
            "rope_theta": 10000.0,
            "tied_head": true,
            "width": 64
          }
        },
        "tokenizer": {
          "$ref": "#/$defs/TokenizerKind",
          "default": "character"
        },
        "training": {
          "$ref": "#/$defs/TrainingConfig",
          "default": {
            "batch_size": 8,
            "beta1": 0.9,
            "beta2": 0.99,
            "checkpoint_interval": 100,
            "decay_steps": 0,
            "early_stopping_patience": 0,
            "epsilon": 1e-8,
            "evaluation_interval": 50,
            "evaluation_windows": 32,
            "final_evaluation_stride": 0,
            "final_evaluation_windows": 0,
            "gradient_accumulation": 1,
            "gradient_clip": 1.0,
            "learning_rate": 0.002,
            "minimum_learning_rate": 0.0002,
            "sample_interval": 50,
            "sample_prompt": "",
            "sample_temperature": 0.8,
            "sample_tokens": 120,
            "schedule": "cosine",
            "steps": 500,
            "warmup_steps": 40,
            "weight_decay": 0.1
          }
        },
        "vocabulary": {
          "default": 1024,
          "description": "The most tokens that byte-pair encoding learns; the other kinds follow from the text.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        }
      },
      "type": "object"
    },
    "RagConfig": {
      "additionalProperties": false,
      "description": "How documents are indexed, and how questions are answered from them.",
      "properties": {
        "answer_tokens": {
          "default": 40,
          "description": "The longest answer, in tokens; passages are left out until question and answer fit the context.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "chunking": {
          "$ref": "#/$defs/ChunkConfig",
          "default": {
            "method": "structure",
            "overlap": 20,
            "size": 200
          }
        },
        "endpoint": {
          "anyOf": [
            {
              "$ref": "#/$defs/EndpointConfig"
            },
            {
              "type": "null"
            }
          ],
          "default": null,
          "description": "Answers, if there, instead of the model that the strategy starts from."
        },
        "evaluation_depth": {
          "default": 10,
          "description": "Passages that are looked at to measure retrieval, e.g. in `ndcg@10`.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "exact_below": {
          "default": 4096,
          "description": "With fewer chunks every vector is looked at; with more, a graph is searched.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "method": {
          "$ref": "#/$defs/RetrievalMethod",
          "default": "hybrid"
        },
        "passages": {
          "default": 3,
          "description": "Passages that an answer is written from.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "questions": {
          "default": [],
          "description": "Questions that are answered when the index is there.",
          "items": {
            "type": "string"
          },
          "type": "array"
        },
        "threshold": {
          "default": 0.0,
          "description": "Passages that score lower are not used, by the scale of the method; 0 for no limit. Where no\npassage is left, the question is not answered.",
          "format": "double",
          "type": "number"
        }
      },
      "type": "object"
    },
    "ReportConfig": {
      "additionalProperties": false,
      "description": "What is measured and kept while the policy is trained.",
      "properties": {
        "checkpoint_interval": {
          "default": 20,
          "description": "Steps between checkpoints to resume from; 0 means none.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "evaluation_interval": {
          "default": 0,
          "description": "Steps between evaluations on what is held out; 0 means before the first step and after the last only.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "evaluation_prompts": {
          "default": 200,
          "description": "Held-out prompts that are answered in an evaluation; 0 means all.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "sample_interval": {
          "default": 10,
          "description": "Steps between samples.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "samples": {
          "default": 2,
          "description": "Answers shown each time.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        }
      },
      "type": "object"
    },
    "RetrievalMethod": {
      "description": "By what passages are ranked.",
      "oneOf": [
        {
          "const": "dense",
          "description": "Nearness of vectors.",
          "type": "string"
        },
        {
          "const": "bm25",
          "description": "Words in common (BM25).",
          "type": "string"
        },
        {
          "const": "hybrid",
          "description": "The two rankings fused by reciprocal ranks.",
          "type": "string"
        }
      ]
    },
    "RewardConfig": {
      "description": "Where the reward of an answer comes from.",
      "oneOf": [
        {
          "additionalProperties": false,
          "description": "A model trained on preferences.",
          "properties": {
            "kind": {
              "const": "model",
              "type": "string"
            }
          },
          "required": [
            "kind"
          ],
          "type": "object"
        },
        {
          "additionalProperties": false,
          "description": "`weight` for each place of the answer where the regular expression matches.",
          "properties": {
            "kind": {
              "const": "pattern",
              "type": "string"
            },
            "pattern": {
              "type": "string"
            },
            "weight": {
              "default": 1.0,
              "format": "double",
              "type": "number"
            }
          },
          "required": [
            "kind",
            "pattern"
          ],
          "type": "object"
        },
        {
          "additionalProperties": false,
          "description": "0 for an answer of so many tokens, and down to -1 the further it is from that.",
          "properties": {
            "kind": {
              "const": "length",
              "type": "string"
            },
            "tokens": {
              "format": "uint",
              "minimum": 0,
              "type": "integer"
            }
          },
          "required": [
            "kind",
            "tokens"
          ],
          "type": "object"
        },
        {
          "additionalProperties": false,
          "description": "A function that the program around the lab supplies.",
          "properties": {
            "kind": {
              "const": "function",
              "type": "string"
            }
          },
          "required": [
            "kind"
          ],
          "type": "object"
        }
      ]
    },
    "RewardModelConfig": {
      "additionalProperties": false,
      "description": "How a reward model is trained on preferences (Stiennon et al. 2020) before the policy is.",
      "properties": {
        "batch_size": {
          "default": 16,
          "description": "Pairs in a step.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "centre": {
          "default": 0.01,
          "description": "Weight of the squared sum of both rewards, which keeps them around 0.",
          "format": "double",
          "type": "number"
        },
        "evaluation_interval": {
          "default": 20,
          "description": "Steps between evaluations on held-out pairs; 0 means at the end only.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "lora": {
          "anyOf": [
            {
              "$ref": "#/$defs/LoraConfig"
            },
            {
              "type": "null"
            }
          ],
          "description": "Adapts the trunk by low-rank matrices instead of training all of it."
        },
        "normalisation_samples": {
          "default": 128,
          "description": "Answers by which that is measured.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "normalise": {
          "default": true,
          "description": "Brings rewards to mean 0 and deviation 1 over answers of the reference policy.",
          "type": "boolean"
        },
        "optimizer": {
          "$ref": "#/$defs/OptimizerConfig",
          "default": {
            "beta1": 0.9,
            "beta2": 0.99,
            "epsilon": 1e-8,
            "gradient_clip": 1.0,
            "learning_rate": 0.0003,
            "minimum_learning_rate": 0.0,
            "warmup_steps": 10,
            "weight_decay": 0.0
          }
        },
        "steps": {
          "default": 120,
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        }
      },
      "type": "object"
    },
    "RlhfConfig": {
      "additionalProperties": false,
      "description": "`RlhfStrategy`'s configuration. Model and tokenizer are those of the run it starts from, which is the\nreference too.",
      "properties": {
        "lora": {
          "anyOf": [
            {
              "$ref": "#/$defs/LoraConfig"
            },
            {
              "type": "null"
            }
          ],
          "description": "Trains an adapter on the frozen reference instead of all weights."
        },
        "ppo": {
          "$ref": "#/$defs/PpoConfig",
          "default": {
            "batch_size": 64,
            "clip": 0.2,
            "entropy_coefficient": 0.0,
            "epochs": 4,
            "gamma": 1.0,
            "kl_coefficient": 0.05,
            "kl_horizon": 10000.0,
            "lambda": 0.95,
            "maximum_kl": 0.1,
            "minibatches": 4,
            "optimizer": {
              "beta1": 0.9,
              "beta2": 0.99,
              "epsilon": 1e-8,
              "gradient_clip": 1.0,
              "learning_rate": 0.0003,
              "minimum_learning_rate": 0.0,
              "warmup_steps": 0,
              "weight_decay": 0.0
            },
            "steps": 60,
            "value_clip": 0.2,
            "value_coefficient": 0.1,
            "whiten_rewards": false
          }
        },
        "preferences": {
          "description": "Pairs to learn from instead of the data's, as they were collected.",
          "items": {
            "$ref": "#/$defs/PreferenceExample"
          },
          "type": "array"
        },
        "report": {
          "$ref": "#/$defs/ReportConfig",
          "default": {
            "checkpoint_interval": 20,
            "evaluation_interval": 0,
            "evaluation_prompts": 200,
            "sample_interval": 10,
            "samples": 2
          }
        },
        "reward": {
          "$ref": "#/$defs/RewardConfig",
          "default": {
            "kind": "model"
          }
        },
        "reward_model": {
          "$ref": "#/$defs/RewardModelConfig",
          "default": {
            "batch_size": 16,
            "centre": 0.01,
            "evaluation_interval": 20,
            "normalisation_samples": 128,
            "normalise": true,
            "optimizer": {
              "beta1": 0.9,
              "beta2": 0.99,
              "epsilon": 1e-8,
              "gradient_clip": 1.0,
              "learning_rate": 0.0003,
              "minimum_learning_rate": 0.0,
              "warmup_steps": 10,
              "weight_decay": 0.0
            },
            "steps": 120
          },
          "description": "Read where the reward is a model."
        },
        "rollout": {
          "$ref": "#/$defs/RolloutConfig",
          "default": {
            "missing_eos_penalty": 1.0,
            "response_tokens": 40,
            "stop": "",
            "temperature": 1.0
          }
        }
      },
      "type": "object"
    },
    "RolloutConfig": {
      "additionalProperties": false,
      "description": "How answers are sampled. There are no filters: the policy that is improved is the one that samples.",
      "properties": {
        "missing_eos_penalty": {
          "default": 1.0,
          "description": "Subtracted from the score of an answer that did not come to its end.",
          "format": "double",
          "type": "number"
        },
        "response_tokens": {
          "default": 40,
          "description": "Most tokens of an answer.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "stop": {
          "default": "",
          "description": "A text of one token that ends an answer; empty means the tokenizer's end of text, if it has one.",
          "type": "string"
        },
        "temperature": {
          "default": 1.0,
          "description": "Divides the logits of policy and reference alike.",
          "format": "double",
          "type": "number"
        }
      },
      "type": "object"
    },
    "Schedule": {
      "oneOf": [
        {
          "enum": [
            "linear",
            "constant"
          ],
          "type": "string"
        },
        {
          "const": "cosine",
          "description": "Half a cosine from the highest to the lowest rate.",
          "type": "string"
        }
      ]
    },
    "StrategyConfig": {
      "additionalProperties": false,
      "allOf": [
        {
          "if": {
            "properties": {
              "strategy": {
                "const": "pretraining"
              }
            },
            "required": [
              "strategy"
            ]
          },
          "then": {
            "properties": {
              "config": {
                "anyOf": [
                  {
                    "$ref": "#/$defs/PretrainingConfig"
                  },
                  {
                    "type": "null"
                  }
                ]
              }
            }
          }
        },
        {
          "if": {
            "properties": {
              "strategy": {
                "const": "fine_tuning"
              }
            },
            "required": [
              "strategy"
            ]
          },
          "then": {
            "properties": {
              "config": {
                "anyOf": [
                  {
                    "$ref": "#/$defs/FineTuningConfig"
                  },
                  {
                    "type": "null"
                  }
                ]
              }
            }
          }
        },
        {
          "if": {
            "properties": {
              "strategy": {
                "const": "rlhf"
              }
            },
            "required": [
              "strategy"
            ]
          },
          "then": {
            "properties": {
              "config": {
                "anyOf": [
                  {
                    "$ref": "#/$defs/RlhfConfig"
                  },
                  {
                    "type": "null"
                  }
                ]
              }
            }
          }
        },
        {
          "if": {
            "properties": {
              "strategy": {
                "const": "grpo"
              }
            },
            "required": [
              "strategy"
            ]
          },
          "then": {
            "properties": {
              "config": {
                "anyOf": [
                  {
                    "$ref": "#/$defs/GrpoConfig"
                  },
                  {
                    "type": "null"
                  }
                ]
              }
            }
          }
        },
        {
          "if": {
            "properties": {
              "strategy": {
                "const": "dpo"
              }
            },
            "required": [
              "strategy"
            ]
          },
          "then": {
            "properties": {
              "config": {
                "anyOf": [
                  {
                    "$ref": "#/$defs/DpoConfig"
                  },
                  {
                    "type": "null"
                  }
                ]
              }
            }
          }
        },
        {
          "if": {
            "properties": {
              "strategy": {
                "const": "rag"
              }
            },
            "required": [
              "strategy"
            ]
          },
          "then": {
            "properties": {
              "config": {
                "anyOf": [
                  {
                    "$ref": "#/$defs/RagConfig"
                  },
                  {
                    "type": "null"
                  }
                ]
              }
            }
          }
        }
      ],
      "description": "One strategy of an experiment. `config` is read by the strategy itself, so that a new strategy\nchanges nothing here.",
      "properties": {
        "config": {
          "default": null
        },
        "from": {
          "description": "Name of the strategy of this experiment whose model this one starts from.",
          "type": [
            "string",
            "null"
          ]
        },
        "name": {
          "description": "Unique within the experiment; metrics carry it.",
          "type": "string"
        },
        "strategy": {
          "description": "A registered strategy, e.g. `pretraining`.",
          "type": "string"
        }
      },
      "required": [
        "name",
        "strategy"
      ],
      "type": "object"
    },
    "TokenizerKind": {
      "oneOf": [
        {
          "const": "character",
          "description": "One token for each character that occurs in the text.",
          "type": "string"
        },
        {
          "const": "byte",
          "description": "One token for each byte of UTF-8, 256 in all.",
          "type": "string"
        },
        {
          "const": "bpe",
          "description": "Pieces of words: bytes, merged by how often they stand together (byte-pair encoding, as GPT-2).",
          "type": "string"
        }
      ]
    },
    "TooLong": {
      "description": "What becomes of an example that does not fit the model's context.",
      "oneOf": [
        {
          "const": "drop",
          "description": "It is left out, and counted.",
          "type": "string"
        },
        {
          "const": "truncate",
          "description": "The prompt loses its beginning, and the response its end where that is not enough.",
          "type": "string"
        },
        {
          "const": "error",
          "description": "The run is refused.",
          "type": "string"
        }
      ]
    },
    "TrainingConfig": {
      "additionalProperties": false,
      "description": "How a model is trained. The defaults are those of the quick start.",
      "properties": {
        "batch_size": {
          "default": 8,
          "description": "Sequences in a micro-batch.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "beta1": {
          "default": 0.9,
          "format": "double",
          "type": "number"
        },
        "beta2": {
          "default": 0.99,
          "format": "double",
          "type": "number"
        },
        "checkpoint_interval": {
          "default": 100,
          "description": "Steps between checkpoints to resume from; 0 means none.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "decay_steps": {
          "default": 0,
          "description": "Step at which the schedule ends; 0 means `steps`.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "early_stopping_patience": {
          "default": 0,
          "description": "Evaluations without a better loss after which training stops; 0 means never.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "epsilon": {
          "default": 1e-8,
          "format": "double",
          "type": "number"
        },
        "evaluation_interval": {
          "default": 50,
          "description": "Steps between evaluations on the held-out part; 0 means at the end only.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "evaluation_windows": {
          "default": 32,
          "description": "Windows of the held-out part in an evaluation while training, the same ones every time; 0 means all.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "final_evaluation_stride": {
          "default": 0,
          "description": "Tokens between the starts of the windows at the end, at most the context; 0 means the context:\nwindows that do not overlap. With less, each token is judged with more text before it.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "final_evaluation_windows": {
          "default": 0,
          "description": "The same for the evaluation at the end, whose loss is the result.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "gradient_accumulation": {
          "default": 1,
          "description": "Micro-batches whose gradients are summed before an update.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "gradient_clip": {
          "default": 1.0,
          "description": "Largest global norm of the gradient; 0 means no clipping.",
          "format": "double",
          "type": "number"
        },
        "learning_rate": {
          "default": 0.002,
          "format": "double",
          "type": "number"
        },
        "minimum_learning_rate": {
          "default": 0.0002,
          "description": "Where the schedule ends.",
          "format": "double",
          "type": "number"
        },
        "sample_interval": {
          "default": 50,
          "description": "Steps between samples; 0 means none but at the end.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "sample_prompt": {
          "default": "",
          "description": "What samples begin with; empty means a new line, or the text's first character if it has none.",
          "type": "string"
        },
        "sample_temperature": {
          "default": 0.8,
          "format": "double",
          "type": "number"
        },
        "sample_tokens": {
          "default": 120,
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "schedule": {
          "$ref": "#/$defs/Schedule",
          "default": "cosine"
        },
        "steps": {
          "default": 500,
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "warmup_steps": {
          "default": 40,
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "weight_decay": {
          "default": 0.1,
          "description": "Decoupled decay (Loshchilov and Hutter 2019), on matrices and embeddings only.",
          "format": "double",
          "type": "number"
        }
      },
      "type": "object"
    },
    "VillageSettings": {
      "additionalProperties": false,
      "description": "Everything that decides what a village is. The same settings give the same bytes everywhere.",
      "properties": {
        "answers_per_question": {
          "default": 4,
          "description": "How often each trained question is answered, in another manner each time.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "confusable": {
          "default": 0.25,
          "description": "Share of the passages beside the right one that are about a person of the same first name or\nsurname: the higher, the harder.",
          "format": "double",
          "type": "number"
        },
        "documents": {
          "default": 16000,
          "description": "Texts to pretrain on.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "first_names": {
          "default": 24,
          "description": "Different first names. With fewer than people, some share one.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "held_out_documents": {
          "default": 300,
          "description": "Texts of the same language that are held out.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "held_out_people": {
          "default": 0.25,
          "description": "Share of the people about whom no question is ever trained.",
          "format": "double",
          "type": "number"
        },
        "held_out_questions": {
          "default": 0.15,
          "description": "Share of the facts about the others that are never asked in training.",
          "format": "double",
          "type": "number"
        },
        "judged_preferences": {
          "default": 150,
          "description": "The same for judging, about held-out questions.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "judged_reading": {
          "default": 150,
          "description": "The same for judging.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "new_people": {
          "default": 40,
          "description": "People whom no model is trained on and whom only the documents describe.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "passages": {
          "default": 3,
          "description": "Most passages before a question.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "people": {
          "default": 24,
          "description": "People who live there and are written about.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "preference_noise": {
          "default": 0.0,
          "description": "Share of the preference pairs whose order is wrong, as human judgement often is.",
          "format": "double",
          "type": "number"
        },
        "preference_pairs": {
          "default": 600,
          "description": "Pairs of answers, one better than the other.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "preset": {
          "$ref": "#/$defs/Preset",
          "default": "hamlet",
          "description": "Where the other settings start from."
        },
        "questions_per_new_person": {
          "default": 5,
          "description": "Questions about each of them, one for each fact at most.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "reading_pairs": {
          "default": 6000,
          "description": "Training pairs whose answer stands in passages that come with the question.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "seed": {
          "default": 0,
          "format": "uint64",
          "minimum": 0,
          "type": "integer"
        },
        "shops": {
          "default": 6,
          "description": "Shops, each in a street and each selling one thing.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "surnames": {
          "default": 24,
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        },
        "travellers": {
          "default": 0.1,
          "description": "Share of those texts that are about travellers, of whom nothing is to be remembered: they teach\nto read. More of them are harder to learn.",
          "format": "double",
          "type": "number"
        },
        "unknown_share": {
          "default": 0.2,
          "description": "Share of the reading pairs whose passages do not hold the answer.",
          "format": "double",
          "type": "number"
        },
        "values": {
          "default": 16,
          "description": "Different streets, pets, trades, foods, colours and goods, of each kind so many.",
          "format": "uint",
          "minimum": 0,
          "type": "integer"
        }
      },
      "required": [],
      "type": "object"
    }
  },
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "additionalProperties": false,
  "description": "A named set of strategy runs that share data, seed and evaluation.",
  "properties": {
    "backend": {
      "$ref": "#/$defs/BackendChoice",
      "default": "auto"
    },
    "data": {
      "$ref": "#/$defs/DataConfig"
    },
    "description": {
      "default": "",
      "type": "string"
    },
    "name": {
      "type": "string"
    },
    "schema": {
      "default": 1,
      "format": "uint32",
      "minimum": 0,
      "type": "integer"
    },
    "seed": {
      "default": 1337,
      "description": "Decides initial weights, batches, dropout and samples.",
      "format": "uint64",
      "minimum": 0,
      "type": "integer"
    },
    "strategies": {
      "items": {
        "$ref": "#/$defs/StrategyConfig"
      },
      "type": "array"
    }
  },
  "required": [
    "name",
    "data",
    "strategies"
  ],
  "title": "ExperimentConfig",
  "type": "object"
};

package main

import "math/rand/v2"

// The words of the simulation: people, teams, templates, and what is said about sandboxes.
var (
	teams = []string{
		"team-atlas", "team-borealis", "team-cobalt", "team-delta", "data-science", "platform", "research", "support-tools",
	}
	givenNames = []string{
		"ana", "bela", "chidi", "dana", "emre", "fatima", "goran", "hana", "ivan", "jun", "kofi",
		"lena", "mei", "nadia", "omar", "priya", "quinn", "rosa", "sven", "tariq", "uma", "yuki",
	}
	templates = []string{"python", "node", "notebook", "browser", "build"}
	roles     = []string{"viewer", "editor"}
	commands  = []string{
		"python train.py --epochs 3",
		"pip install -r requirements.txt",
		"npm test",
		"pytest -q tests/",
		"git clone https://git.example.com/atlas/pipeline.git",
		`echo "grüße aus münchen" > motd`,
		"jupyter lab --no-browser",
		"sed -i 's/foo/bar/g' *.txt",
		"python 分析.py --入力 data.csv",
		"make -j4 all",
	}
	patches = []string{
		`{"spec":{"idleTimeout":"30m"}}`,
		`{"spec":{"resources":{"cpu":"2"}}}`,
		`{"metadata":{"labels":{"purpose":"démo"}}}`,
		`{"spec":{"env":[{"name":"LANG","value":"de_DE.UTF-8"}]}}`,
	}
	failures = []string{
		"container exited with code 137 (OOMKilled)",
		"readiness probe failed: connection refused",
		`Fehler beim Öffnen von "/data/modèle.bin": no such file or directory`,
		"プロセスが異常終了しました (exit code 1)",
		"panic: runtime error: index out of range [3] with length 3\n\ngoroutine 1 [running]:\nmain.main()",
	}
)

const (
	defaultActor = "ana@team-atlas.example.com"
	// systemActor is who stops a sandbox that idles.
	systemActor = "system:autostop"
)

func pick(random *rand.Rand, words []string) string { return words[random.IntN(len(words))] }

func email(random *rand.Rand) string {
	return pick(random, givenNames) + "@" + pick(random, teams) + ".example.com"
}
